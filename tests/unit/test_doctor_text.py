"""What `tfgpu doctor` prints for a person: pinned word for word, for each combination of parts."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from pytest_tfgpu.cli._doctor_text import render
from pytest_tfgpu.cli._terminal import Style, columns, wrap
from pytest_tfgpu.cli.doctor import is_fit
from pytest_tfgpu.environment.presence import Presence
from pytest_tfgpu.model import (
    BuiltFor,
    CheckResult,
    EvidenceLine,
    Facts,
    Finding,
    Gpu,
    GpuChecks,
    GpuProcess,
    Help,
    Library,
    Preflight,
)

FACTS = Facts(
    tensorflow="2.21.0",
    tensorflow_distribution="tensorflow",
    is_cuda_build=True,
    python="3.12.1",
    platform="linux",
    driver="555.42.06",
    driver_cuda="12.5",
    built_for=BuiltFor("12.5.1", "9.3"),
    gpus=(Gpu(0, "NVIDIA L4", "GPU-1", "8.9", 23034, 22500, "default"), Gpu(index=1)),
    visible_gpus=(0,),
    gpu_processes=(GpuProcess(42, "python", 534, 0),),
    libraries=(
        Library("libcuda.so.1", "/lib/libcuda.so.1", "555.42.06", "ldconfig"),
        Library("libcusolver.so.11"),
        Library("libcudnn.so.9", "/x/libcudnn.so.9"),
    ),
    environment={"CUDA_VISIBLE_DEVICES": "0", "XLA_FLAGS": "--a \x1b[31m"},
    ci="github",
)
BARE = Facts(python="3.14.0", unknown={"tensorflow": "TensorFlow is not installed for this Python."})
PRESENT = Presence("present", gpus=1)
FINDING = Finding(
    "TensorFlow can't load libcusolver.so.11.",
    cause="cuda-library-missing",
    evidence=(EvidenceLine("/lib64", "libcusolver.so.11 is not in"), EvidenceLine("bare")),
    help=(
        Help(f"export LD_LIBRARY_PATH=/{'long/' * 20}lib more"),
        Help("Try another machine.", sure=False),
    ),
)
NOT_ASKED = Preflight("not-asked")
PLAIN, COLOUR = Style(on=False), Style(on=True)


def text(
    facts: Facts = FACTS,
    state: Presence = PRESENT,
    found: tuple[Finding, ...] = (),
    preflight: Preflight = NOT_ASKED,
    *,
    width: int = 80,
    style: Style = PLAIN,
) -> str:
    """Return what doctor prints."""
    return "\n".join(render(facts, state, found, preflight, width=width, style=style))


def test_whole_machine() -> None:
    """Each fact has its place in a table, and control characters of a variable don't reach the terminal."""
    assert (
        text()
        == """\
machine     Linux, Python 3.12.1, CI: github
TensorFlow  2.21.0 (tensorflow), built for CUDA 12.5.1 and cuDNN 9.3
driver      555.42.06, supports CUDA up to 12.5
GPU 0       NVIDIA L4, compute capability 8.9, 22500 of 23034 MiB free
GPU 1       unnamed (hidden)
            process 42 (python) on GPU 0, 534 MiB
libraries   libcuda.so.1       555.42.06    from ldconfig
            libcusolver.so.11  not found
            libcudnn.so.9      version unknown /x/libcudnn.so.9
variables   CUDA_VISIBLE_DEVICES=0
            XLA_FLAGS=--a

TensorFlow should find a GPU here; --preflight proves it."""
    )


def test_bare_machine() -> None:
    """What is unknown is said with its reason, and what doesn't exist isn't listed."""
    state = Presence("absent", "There is no NVIDIA GPU.", None, 0)
    assert (
        text(BARE, state, (Finding("There is no NVIDIA GPU.", "info"),))
        == """\
machine     unknown platform, Python 3.14.0
TensorFlow  TensorFlow is not installed for this Python.
driver      none found.

info: There is no NVIDIA GPU.

There is no GPU here for TensorFlow to use."""
    )


def test_finding() -> None:
    """A finding shows severity, cause, evidence and help; a line to type stays whole however long it is."""
    state = Presence("unusable", "x", "cuda-library-missing", 1)
    assert text(state=state, found=(FINDING,)).partition("--a\n\n")[2] == (
        "error: TensorFlow can't load libcusolver.so.11. [cuda-library-missing]\n"
        "  libcusolver.so.11 is not in: /lib64\n"
        "  bare\n"
        f"  help: export LD_LIBRARY_PATH=/{'long/' * 20}lib more\n"
        "  worth a try: Try another machine.\n"
        "\n"
        "TensorFlow can't use the GPU here."
    )


@pytest.mark.parametrize(
    ("state", "found", "sentence"),
    [
        (PRESENT, (), "TensorFlow should find a GPU here; --preflight proves it."),
        (Presence("present", gpus=4), (), "TensorFlow should find 4 GPUs here; --preflight proves it."),
        (Presence("present"), (), "TensorFlow should find a GPU here; --preflight proves it."),
        (PRESENT, (FINDING,), "TensorFlow can't use the GPU here."),
        (Presence("absent", "x"), (), "There is no GPU here for TensorFlow to use."),
        (Presence("unclear", "x"), (), "Whether there is a GPU here is not known; --preflight finds out."),
        (Presence("unusable", "x"), (), "TensorFlow can't use the GPU here."),
    ],
)
def test_answer(state: Presence, found: tuple[Finding, ...], sentence: str) -> None:
    """The last line is the answer, in one sentence."""
    assert text(state=state, found=found).splitlines()[-1] == sentence


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"platform": "docker", "ci": None}, "machine     Linux in a container, Python 3.12.1"),
        ({"platform": "plan9", "ci": None}, "machine     plan9, Python 3.12.1"),
        ({"is_cuda_build": False, "built_for": None}, "TensorFlow  2.21.0 (tensorflow), built without CUDA"),
        ({"is_cuda_build": None, "built_for": None}, "TensorFlow  2.21.0 (tensorflow)"),
        (
            {"built_for": BuiltFor("12.5.1", "9.3", ("sm_60", "compute_90"))},
            "            kernels for sm_60, compute_90",
        ),
        ({"driver_cuda": None}, "driver      555.42.06"),
        ({"driver": None, "unknown": {"nvml": "It hung."}}, "driver      libcuda 555.42.06. It hung."),
        (
            {"driver": None, "libraries": (), "unknown": {"nvml": "It hung."}},
            "driver      none found. It hung.",
        ),
        (
            {"libraries": (Library("libcuda.so.1"), Library("libcudart.so.12"))},
            "libraries   none of the 2 that TensorFlow would open is found",
        ),
        (
            {"gpus": (Gpu(0, "Tesla T4", compute_mode="prohibited"),)},
            "GPU 0       Tesla T4, compute mode prohibited",
        ),
    ],
)
def test_variants(changes: dict[str, object], line: str) -> None:
    """Each variant of a fact has its line."""
    assert line in text(replace(FACTS, **changes)).splitlines()  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_width(width: int) -> None:
    """Lines of sentences keep to the width; only paths and lines to type may be wider."""
    lines = text(state=Presence("unusable", "x"), found=(FINDING,), width=width).splitlines()
    wide = [line for line in lines if len(line) > width and "LD_LIBRARY_PATH" not in line]
    assert not [line for line in wide if not line.startswith((" " * 12, "libraries"))]


def test_colour() -> None:
    """Colours mark labels, severities and the answer; without them the text is the same."""
    found = (FINDING, replace(FINDING, severity="warning"), Finding("Note.", "info"))
    coloured = text(found=found, style=COLOUR)
    assert "\x1b[31;1merror\x1b[0m: " in coloured
    assert "\x1b[33;1mwarning\x1b[0m: " in coloured
    assert "\x1b[36minfo\x1b[0m: " in coloured
    for code in ("\x1b[31;1m", "\x1b[33;1m", "\x1b[36m", "\x1b[1m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == text(found=found)


def test_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    """Escape sequences in names, evidence and help are taken out or escaped."""
    evil = "a\x1b[2Jb\x07\rc"
    facts = replace(FACTS, gpus=(Gpu(0, evil),), gpu_processes=(GpuProcess(1, evil, 1, 0),))
    finding = Finding(evil, evidence=(EvidenceLine(evil, "x"),), help=(Help(evil),))
    assert not set(text(facts, found=(finding,))) & set("\x1b\x07\r")


def test_checks() -> None:
    """After a preflight the table of checks and its verdict are the answer, and findings stand once."""
    checks = (
        CheckResult("matmul", "passed", 0.5, 1e-6, 1e-5),
        CheckResult("conv2d", "failed", message="Wrong."),
    )
    preflight = Preflight(
        "unusable",
        "GPU 0 fails the check conv2d: Wrong.",
        gpus=(GpuChecks(0, name="L4", checks=checks),),
        findings=(FINDING,),
    )
    shown = text(found=(FINDING,), preflight=preflight)
    assert shown.count(FINDING.summary) == 1
    assert "--preflight" not in shown
    answer = shown.rpartition("\n\n")[2]
    assert answer.startswith("GPU unusable: GPU 0 fails the check conv2d: Wrong.")
    assert "matmul" in answer


@pytest.mark.parametrize(
    ("state", "severities", "verdict", "fit"),
    [
        ("present", [], "not-asked", True),
        ("present", ["warning", "info"], "not-asked", True),
        ("present", ["error"], "not-asked", False),
        ("unusable", ["error"], "not-asked", False),
        ("unclear", ["warning"], "not-asked", False),
        ("absent", ["info"], "not-asked", False),
        ("present", ["warning"], "ok", True),
        ("present", ["error"], "ok", True),
        ("present", [], "unusable", False),
        ("absent", [], "absent", False),
    ],
)
def test_fit(state: str, severities: list[str], verdict: str, fit: bool) -> None:
    """What the preflight proves counts; without it, that a GPU is there and nothing is an error."""
    found = tuple(Finding("x", severity) for severity in severities)  # type: ignore[arg-type]
    assert is_fit(Presence(state), found, Preflight(verdict)) is fit  # type: ignore[arg-type]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_when_to_colour(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], coloured: bool) -> None:
    """A terminal is coloured unless NO_COLOR is set or it is a dumb one; anything else never is."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("WT_SESSION", "1")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b" in Style.of(Terminal()).paint("good", "x")) is coloured
    assert Style.of(io.StringIO()).paint("good", "x") == "x"


@pytest.mark.parametrize(("value", "expected"), [("20", 40), ("72", 72), ("400", 100)])
def test_columns(monkeypatch: pytest.MonkeyPatch, value: str, expected: int) -> None:
    """The width is the terminal's, within what can be read."""
    monkeypatch.setenv("COLUMNS", value)
    assert columns() == expected


def test_wrap() -> None:
    """Paths stay whole, also at hyphens, and an empty text is one empty line."""
    assert wrap("see /a/b-c/d-e/f-g/h now", 12, "  ") == ["see", "  /a/b-c/d-e/f-g/h", "  now"]
    assert wrap("", 12) == [""]
