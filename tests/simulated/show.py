"""Print what pytest prints of tests that fail on simulated GPUs: `python -m tests.simulated.show out-of-memory`.

With `--write` the page docs/reference/annotated-reports.md is made of it.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from .build import build
from .machine import Machine, built_for, misfit

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "annotated-reports.md"
COMMAND = "python -m tests.simulated.show --write"
CONVOLUTION = (
    "import tensorflow as tf\n\n\ndef test_convolution():\n"
    "    tf.nn.conv2d(tf.ones((2, 8, 8, 4)), tf.ones((3, 3, 4, 5)), 1, 'SAME')\n"
)


@dataclass(frozen=True)
class Scene:
    """A test that fails on a machine."""

    title: str
    story: str
    """What the machine does to the test."""
    test: str
    change: Callable[[Machine], Machine] = lambda machine: machine
    """Makes the machine out of a healthy one."""


def execution_failed() -> int:
    """Return the code of CUDNN_STATUS_EXECUTION_FAILED in the cuDNN that TensorFlow was built for."""
    return 8 if built_for()[1].startswith("8") else 5000


SCENES = {
    "out-of-memory": Scene(
        "A tensor that is larger than the GPU",
        "A healthy GPU of 8 GiB, and a test that asks for 37. TensorFlow raises `ResourceExhaustedError`.",
        "import tensorflow as tf\n\n\ndef test_large_batch():\n    tf.zeros([100_000, 100_000])\n",
    ),
    "convolution-fails": Scene(
        "A convolution that fails in cuDNN",
        "cuDNN tries an algorithm, and the second time, when TensorFlow uses it, the execution fails. TensorFlow "
        "raises `UnknownError`, which tells no more than the status; so several causes stay possible.",
        CONVOLUTION,
        lambda machine: machine.failing("cudnnBackendExecute", execution_failed(), skip=1),
    ),
    "cudnn-version-mismatch": Scene(
        "A cuDNN that TensorFlow was not built for",
        "cuDNN 8.9.7 lies under the name of cuDNN 9. The exception says only that there is no DNN; a line that "
        "TensorFlow printed on standard error decides.",
        CONVOLUTION,
        lambda machine: replace(machine, cudnn=misfit()),
    ),
}


def play(names: Sequence[str]) -> dict[str, str]:
    """Run scenes and return what pytest printed of each, without the paths of this machine."""
    played = {}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(build(), Path(folder, "driver.so"))
        for name in names:
            machine = SCENES[name].change(Machine(Path(folder), name=name)).with_environment(COLUMNS="90")
            arguments = ("--no-header", "--show-capture=no", "--tb=short")
            played[name] = tidy(
                machine.run_pytest(*arguments, files={"test_gpu.py": SCENES[name].test}).stdout
            )
    return played


def tidy(text: str) -> str:
    """Return the output of pytest from the failures on, without folders, times and process ids."""
    text = text[text.index("= FAILURES") :].partition("\n")[2]
    text = re.sub(r"\S*/site-packages/", ".../site-packages/", text)
    text = re.sub(r"^\n?json report: .*\n", "", text, flags=re.M)
    text = re.sub(r"\b([IWEF])\d{4} \d\d:\d\d:\d+\.\d+ +\d+ ", r"\1... ", text)
    return re.sub(r"^=+ (1 failed) in .*$", r"\1", text, flags=re.M).strip()


def decisive(text: str) -> list[str]:
    """Return the words of a scene that don't depend on the version of pytest: of the exception and of the cause.

    How long a process id is decides where a line is broken; so lines don't count.
    """
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if "- tfgpu: cause -" in line)
    end = next(number for number, line in enumerate(lines) if "= tfgpu summary =" in line)
    raised = [line for line in lines[:start] if line.startswith("E  ")]
    return " ".join(raised + lines[start + 1 : end]).split()


def page(played: dict[str, str]) -> str:
    """Return the page that shows the scenes."""
    blocks = [
        "# Annotated reports",
        f"<!-- Made by tests/simulated/show.py: {COMMAND} -->",
        "What pytest prints of tests that fail on a GPU (`--tb=short --show-capture=no`). TensorFlow is the real one, "
        "and so are its exceptions and its log; the driver and the CUDA libraries under it are simulated. Folders, "
        f"times and process ids are left out. Made with TensorFlow {version('tensorflow')} by `{COMMAND}`.",
    ]
    for name, text in played.items():
        scene = SCENES[name]
        blocks += [f"## {scene.title}", scene.story]
        blocks += [f"```text\n{part.strip()}\n```" for part in (scene.test, text)]
    return "\n\n".join(blocks) + "\n"


def main(arguments: list[str]) -> int:
    """Print the scenes that are named, all without a name, or write the page. Returns 2 for an unknown one."""
    write = arguments == ["--write"]
    unknown = set() if write else set(arguments) - set(SCENES)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SCENES)}", file=sys.stderr)
        return 2
    played = play(list(SCENES) if write else arguments or list(SCENES))
    if write:
        PAGE.write_text(page(played), "utf-8", newline="\n")
    else:
        print("\n\n".join(played.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
