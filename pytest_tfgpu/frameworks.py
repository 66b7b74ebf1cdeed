"""Which modules are TensorFlow's and Keras's: what passes through others is no concern of this plugin."""

from __future__ import annotations

FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "tensorflow_probability", "tensorflow_hub")


def is_framework(module: str) -> bool:
    """Whether a module belongs to TensorFlow or Keras."""
    return module.partition(".")[0] in FRAMEWORKS
