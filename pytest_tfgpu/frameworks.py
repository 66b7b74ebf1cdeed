"""What is TensorFlow's and Keras's own: modules, and what they put round the text of an error.

What passes through other modules is no concern of this plugin.
"""

from __future__ import annotations

FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "tensorflow_probability", "tensorflow_hub")


def is_framework(module: str) -> bool:
    """Whether a module belongs to TensorFlow or Keras."""
    return module.partition(".")[0] in FRAMEWORKS


def without_frame(text: str) -> str:
    """Return the text of an error without what eager execution puts round it from TensorFlow 2.12 on.

    That is `{{function_node ...}} text [Op:X] name: `; the operation stays.
    """
    import re

    return re.sub(r"^\{\{function_node [^}\n]{0,300}\}\} | name:\s*$", "", text)
