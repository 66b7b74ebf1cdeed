"""Print what pytest prints of a test that fails on a simulated GPU: `python -m tests.simulated.show out-of-memory`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .build import build
from .machine import Machine

SCENES: dict[str, tuple[Callable[[Machine], Machine], str]] = {
    "out-of-memory": (
        lambda machine: machine,
        "import tensorflow as tf\n\n\ndef test_large_batch():\n    tf.zeros([100_000, 100_000])\n",
    ),
    "cudnn-version-mismatch": (
        lambda machine: replace(machine, cudnn="8.9.7"),
        "import tensorflow as tf\n\n\ndef test_convolution():\n"
        "    tf.nn.conv2d(tf.ones((2, 8, 8, 4)), tf.ones((3, 3, 4, 5)), 1, 'SAME')\n",
    ),
    "convolution-fails": (
        lambda machine: machine.failing("cudnnBackendExecute", 5000, skip=1),
        "import tensorflow as tf\n\n\ndef test_convolution():\n"
        "    tf.nn.conv2d(tf.ones((2, 8, 8, 4)), tf.ones((3, 3, 4, 5)), 1, 'SAME')\n",
    ),
}


def main(names: list[str]) -> int:
    """Run the scenes that are named, all without a name, and print their output. Returns 2 for an unknown one."""
    unknown = set(names) - set(SCENES)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SCENES)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(build(), Path(folder, "driver.so"))
        for name in names or SCENES:
            change, test = SCENES[name]
            machine = change(Machine(Path(folder), name=name))
            print(machine.run_pytest("--no-header", "--show-capture=no", files={"test_gpu.py": test}).stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
