"""The terminal's lines, word for word."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sample_reports import (
    FACTS,
    FULL,
    HOSTILE,
    NOT_ASKED,
    OK,
    PASSED,
    TESLA,
    UNUSABLE,
    diagnosed,
    hostile,
    report,
)

from pytest_tfgpu.model import (
    CauseCount,
    CheckResult,
    Facts,
    Finding,
    GpuChecks,
    Health,
    Host,
    Library,
    MemoryUse,
    Preflight,
    Skip,
)
from pytest_tfgpu.reporters import github, html, markdown
from pytest_tfgpu.reporters.checks import verdict
from pytest_tfgpu.reporters.terminal import (
    causes_lines,
    header_line,
    host_lines,
    machine_line,
    memory_lines,
    preflight_lines,
    skips_lines,
)
from pytest_tfgpu.reporters.text import encodable

# ------------------------------------------------------------------------------------------------ header


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            FACTS,
            "tfgpu: TensorFlow 2.21.0 (tensorflow), CUDA 12.5.82 (built for 12.5.1), "
            "cuDNN 9.3.0 (built for 9), driver 555.42.06, 2 x Tesla T4",
        ),
        (
            replace(FACTS, cuda=None, cudnn=None, driver=None, gpus=(), visible_gpus=None),
            "tfgpu: TensorFlow 2.21.0 (tensorflow), CUDA not found (built for 12.5.1), "
            "cuDNN not found (built for 9), no GPU",
        ),
        (
            Facts(tensorflow="2.21.0", tensorflow_distribution="tensorflow-cpu", is_cuda_build=False),
            "tfgpu: TensorFlow 2.21.0 (tensorflow-cpu, built without CUDA), no GPU",
        ),
        (replace(FACTS, built_for=None, cuda=None, cudnn=None, visible_gpus=(1,)),
         "tfgpu: TensorFlow 2.21.0 (tensorflow), driver 555.42.06, 1 of 2 GPUs visible (Tesla T4)"),
        (replace(FACTS, built_for=None, cuda=None, cudnn=None, visible_gpus=()),
         "tfgpu: TensorFlow 2.21.0 (tensorflow), driver 555.42.06, 0 of 2 GPUs visible (2 x Tesla T4)"),
        (Facts(device_files=("/dev/nvidia0",)), "tfgpu: no TensorFlow, GPUs unknown"),
        (Facts(unknown={"tensorflow": "broken"}), "tfgpu: no TensorFlow, no GPU"),
        (
            replace(FACTS, cudnn=None, cuda=None, libraries=(Library("libcudnn.so.9", "/lib/libcudnn.so.9"),), gpus=()),
            "tfgpu: TensorFlow 2.21.0 (tensorflow), CUDA not found (built for 12.5.1), "
            "cuDNN of unknown version (built for 9), driver 555.42.06, no GPU",
        ),
        (Facts(tensorflow_path="/site/tensorflow"), "tfgpu: TensorFlow of unknown version, no GPU"),
    ],
)  # fmt: skip
def test_header(facts: Facts, line: str) -> None:
    """The header is one line: what is installed, what it was built for, what is there."""
    assert header_line(facts) == line


def test_header_of_a_machine_that_is_not_well() -> None:
    """A GPU that isn't well is named in the header with a few words, and only such a one."""
    first, second = FACTS.gpus
    sick = replace(
        FACTS,
        gpus=(replace(first, health=Health(temperature=40)), replace(second, health=Health(xids=(79,)))),
    )
    assert header_line(sick).endswith(f"2 x Tesla T4, GPU {second.index}: hardware errors")


# --------------------------------------------------------------------------------------------- preflight


def test_preflight_not_asked_for() -> None:
    """Without a preflight nothing is said."""
    assert preflight_lines(NOT_ASKED, width=80) == []


def test_preflight_ok() -> None:
    """A good preflight is its verdict and its table, with errors where something was compared."""
    assert preflight_lines(OK, width=80) == [
        "GPU ok: 3 checks passed on 1 GPU in 4.10 s",
        "GPU         check   outcome        time  error / tolerance",
        "0 Tesla T4  device  passed       0.31 s",
        "            matmul  passed       12.0 s  1.2e-07 / 1.0e-05",
        "            gather  passed   1 min 05 s              0 / 0",
    ]


def test_preflight_on_the_cpu() -> None:
    """On the CPU the table has no GPU column, and without comparisons no errors."""
    preflight = Preflight("ok", device="cpu", gpus=(GpuChecks(None, None, "CPU", PASSED[:1]),))
    assert preflight_lines(preflight, width=80) == [
        "CPU ok: 1 check passed",
        "device  check   outcome    time",
        "CPU     device  passed   0.31 s",
    ]


def test_preflight_absent() -> None:
    """Where there is no GPU, that is one sentence."""
    preflight = Preflight("absent", "CUDA_VISIBLE_DEVICES hides all GPUs.")
    assert preflight_lines(preflight, width=80) == ["GPU absent: CUDA_VISIBLE_DEVICES hides all GPUs."]


def test_preflight_ok_with_a_broken_gpu() -> None:
    """A verdict that is good enough counts what passed, and says why it is good enough."""
    broken = GpuChecks(1, None, TESLA, (CheckResult("device", "timeout", 120.0, message="It hung."),))
    preflight = Preflight("ok", "1 GPU is enough.", gpus=(GpuChecks(0, None, TESLA, PASSED[:1]), broken))
    assert preflight_lines(preflight, width=80) == [
        "GPU ok: 1 of 2 checks passed on 2 GPUs. 1 GPU is enough.",
        "GPU         check   outcome        time",
        "0 Tesla T4  device  passed       0.31 s",
        "1 Tesla T4  device  timeout  2 min 00 s",
        "device on GPU 1: It hung.",
    ]


def test_preflight_unusable() -> None:
    """A failed check is explained once for all GPUs, and the reason isn't said twice."""
    assert preflight_lines(UNUSABLE, width=80) == [
        "GPU unusable: cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.",
        "  [cudnn-version-mismatch]",
        "GPU         check   outcome    time",
        "0 Tesla T4  device  passed   0.31 s",
        "            conv2d  failed   1.20 s",
        "            gather  not run",
        "1 Tesla T4  device  passed   0.31 s",
        "            conv2d  failed   1.20 s",
        "            gather  not run",
        "conv2d on GPU 0, GPU 1:",
        "  standard error: Loaded runtime CuDNN library: 8.9.6",
        "  help: Install nvidia-cudnn-cu12 9.3.",
        "  worth a try: Take /usr/lib/cuda off LD_LIBRARY_PATH.",
    ]


def test_preflight_narrow() -> None:
    """Sentences wrap and the name of the device is cut where the terminal is narrow."""
    gpu = GpuChecks(0, None, "NVIDIA H100 80GB HBM3 MIG 1g.10gb", PASSED[1:2])
    preflight = Preflight("unusable", "The driver is too old for the CUDA of this TensorFlow.", gpus=(gpu,))
    assert preflight_lines(preflight, width=60) == [
        "GPU unusable: The driver is too old for the CUDA of this",
        "  TensorFlow.",
        "GPU               check   outcome    time  error / tolerance",
        "0 NVIDIA H100...  matmul  passed   12.0 s  1.2e-07 / 1.0e-05",
    ]


def test_preflight_findings() -> None:
    """Findings follow; a fault that was the reason already is left out, a warning says that it is one."""
    findings = (
        Finding("No TensorFlow is installed."),
        Finding("Memory growth is off.", "warning"),
        Finding("libcudnn.so.9 is missing."),
    )
    preflight = Preflight("unusable", "No TensorFlow is installed.", findings=findings)
    assert preflight_lines(preflight, width=80) == [
        "GPU unusable: No TensorFlow is installed.",
        "warning: Memory growth is off.",
        "libcudnn.so.9 is missing.",
    ]


def test_preflight_in_colour() -> None:
    """The verdict and the outcomes are coloured; without the colours the text is the same."""
    painted = preflight_lines(UNUSABLE, width=80, markup=lambda text, style: f"<{style}>{text}</>")
    assert painted[0].startswith("<red>GPU unusable: ")
    assert painted[3] == "0 Tesla T4  device  <green>passed </>  0.31 s"
    assert painted[4] == "            conv2d  <red>failed </>  1.20 s"
    assert painted[5] == "            gather  <yellow>not run</>"
    plain = [re.sub(r"<\w+>|</>", "", line).rstrip() for line in painted]
    assert plain == preflight_lines(UNUSABLE, width=80)
    assert preflight_lines(OK, width=80, markup=lambda text, style: style)[0] == "green"


def test_table_on_a_terminal_of_few_characters() -> None:
    """What the terminal's encoding doesn't have is written as escapes, and the columns still stand in line."""
    gpu = GpuChecks(0, None, "Caf\u00e9 \U0001f600", PASSED[:2])
    preflight = Preflight("ok", "Caf\u00e9 \u2013 \U0001f600", gpus=(gpu,))
    assert preflight_lines(encodable(preflight, "ascii"), width=80) == [
        "GPU ok: 2 checks passed on 1 GPU. Caf\\xe9 \\u2013 \\U0001f600",
        "GPU                   check   outcome    time  error / tolerance",
        "0 Caf\\xe9 \\U0001f600  device  passed   0.31 s",
        "                      matmul  passed   12.0 s  1.2e-07 / 1.0e-05",
    ]


# ------------------------------------------------------------------------------------------------ causes


def test_no_causes() -> None:
    """Without diagnoses there is nothing to say."""
    assert causes_lines(report(), 80) == []


def test_three_tests_one_cause() -> None:
    """Failures that share a cause stand together, with what was said and which tests they are."""
    subject = report(diagnoses=tuple(diagnosed(f"t.py::test_{name}") for name in "abc"))
    assert causes_lines(subject, 80) == [
        "3 tests, one cause",
        "out-of-memory: 3 tests",
        "  GPU 0 ran out of memory.",
        "    t.py::test_a",
        "    t.py::test_b",
        "    t.py::test_c",
    ]


def test_machine_before_code() -> None:
    """Faults of the machine come first, however few tests they hit; differing wordings are told apart."""
    assert causes_lines(FULL, 80) == [
        "2 tests and 1 test module, 2 causes",
        "cudnn-version-mismatch: 1 test module",
        "  cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.",
        "    tests/test_b.py",
        "out-of-memory: 2 tests",
        "  GPU 0 ran out of memory.",
        "    tests/test_a.py::test_big",
        "  GPU 1 ran out of memory.",
        "    tests/test_a.py::test_bigger",
    ]


def test_test_that_failed_twice_counts_once() -> None:
    """A test that failed in its call and in its teardown is one test."""
    subject = report(diagnoses=(diagnosed("t.py::a"), diagnosed("t.py::a", phase="teardown")))
    assert causes_lines(subject, 80)[:2] == ["1 test, one cause", "out-of-memory: 1 test"]


def test_many_tests_are_counted() -> None:
    """Five tests are named, the rest is a number, also where wordings differ."""
    same = report(diagnoses=tuple(diagnosed(f"t.py::test_{n}") for n in range(10_000)))
    assert causes_lines(same, 80)[-2:] == ["    t.py::test_4", "    and 9995 more"]
    differing = report(diagnoses=tuple(diagnosed(f"t.py::test_{n}", summary=f"s{n}") for n in range(9)))
    assert causes_lines(differing, 80)[-3:] == ["  s2", "    t.py::test_2", "    and 6 more"]


def test_every_test_is_named_where_that_is_wanted() -> None:
    """With `every`, all tests and all that is said of them are there."""
    differing = report(diagnoses=tuple(diagnosed(f"t.py::test_{n}", summary=f"s{n}") for n in range(9)))
    lines = causes_lines(differing, 80, every=True)
    assert lines[-2:] == ["  s8", "    t.py::test_8"]
    assert len(lines) == 2 + 2 * 9
    subject = report(causes=(CauseCount("b", 7, tuple(f"t.py::{n}" for n in range(7))),))
    assert len(causes_lines(subject, 80, every=True)) == 2 + 7


def test_causes_in_colour() -> None:
    """The line of each cause stands out, and nothing else; a cause that looks like a command is still none."""
    painted = causes_lines(FULL, 80, markup=lambda text, style: f"<{style}>{text}</>")
    assert [line for line in painted if "<" in line] == [
        "<bold>cudnn-version-mismatch: 1 test module</>",
        "<bold>out-of-memory: 2 tests</>",
    ]
    assert [re.sub(r"<\w+>|</>", "", line) for line in painted] == causes_lines(FULL, 80)
    subject = report(diagnoses=(diagnosed("t.py::a", "::error::"),))
    assert causes_lines(subject, 80, markup=lambda text, style: f"<{text}>")[1] == "<\\::error::: 1 test>"


def test_causes_without_diagnoses() -> None:
    """Causes whose diagnoses were not kept are still counted."""
    subject = report(causes=(CauseCount("a", 2, ("t.py::x", "t.py::y")), CauseCount("b", 7)))
    assert causes_lines(subject, 80) == [
        "9 tests, 2 causes",
        "b: 7 tests",
        "    and 7 more",
        "a: 2 tests",
        "    t.py::x",
        "    t.py::y",
    ]


# ------------------------------------------------------------------------------------------------- skips


def test_no_skips() -> None:
    """Where every requirement was met there is nothing to say."""
    assert skips_lines(report(), 80) == []


def test_skips_by_requirement() -> None:
    """Tests that lack the same thing are one line, which says what was required and what was found."""
    many = tuple(Skip(f"t.py::{n}", "requires_check", "check conv2d", "failed") for n in range(12))
    assert skips_lines(replace(FULL, skips=FULL.skips + many), 80) == [
        "15 tests with unmet requirements",
        "[12] requires_check: check conv2d required, found failed",
        "[ 2] requires_cudnn: cuDNN >=9.1 required, found 8.9.6 (libcudnn.so.8)",
        "[ 1] requires_gpu: 4 GPUs required, found 2 GPUs (Tesla T4; Tesla T4)",
    ]


def test_skips_wrap_under_themselves() -> None:
    """A long line goes on under its own text."""
    assert skips_lines(replace(FULL, skips=FULL.skips[:1]), 50) == [
        "1 test with unmet requirements",
        "[1] requires_cudnn: cuDNN >=9.1 required, found",
        "    8.9.6 (libcudnn.so.8)",
    ]


# ------------------------------------------------------------------------------------------------ memory


def test_other_hosts() -> None:
    """Each other host is a line with its workers, its facts and how its checks ended, in every form for people."""
    there = (Host("node7", ("gw1", "gw2"), FACTS, UNUSABLE), Host("node8", ("gw3",), Facts(), NOT_ASKED))
    subject = report(hosts=there, problems=("x",))
    first, second = host_lines(subject)
    assert first == f"On node7 (gw1, gw2): {machine_line(FACTS)}; {verdict(UNUSABLE)}"
    assert "2 x Tesla T4; GPU unusable: cuDNN 8.9.6 was loaded; " in first
    assert second == "On node8 (gw3): nothing is known of it"
    assert "\nOn node7 (gw1, gw2): TensorFlow 2.21.0" in "".join(markdown.render(subject))
    assert f"<p>{second}</p>" in github.render(subject)
    pytest.importorskip("jinja2")
    assert f"<p>{second}</p>" in "".join(html.render(subject))


def test_memory_of_the_largest() -> None:
    """The largest peaks are named, in columns, with what was left and the GPU; nothing where none is known."""
    used = (
        MemoryUse("t.py::small", 0.25, 0.0, 0),
        MemoryUse("t.py::huge", 38147.0, -4.0, 1),
        MemoryUse("t.py::large", 512.0, 64.0, 0),
    )
    assert memory_lines(report(memory=used), 2) == [
        "GPU memory of 3 tests, the 2 largest peaks",
        "37.3 GiB  -4 MiB left  GPU 1  t.py::huge",
        " 512 MiB  64 MiB left  GPU 0  t.py::large",
    ]
    assert memory_lines(report(memory=used), 3)[0] == "GPU memory of 3 tests"
    assert (
        memory_lines(report(memory=(MemoryUse("t.py::a", 0.25, 0.0),)), 3)[1]
        == "0.25 MiB  0 MiB left  t.py::a"
    )
    assert memory_lines(report(memory=used), 0) == memory_lines(report(), 3) == []


# ---------------------------------------------------------------------------------------------- for all


@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    """Lines fit, but for words that can't be broken, such as the names of tests."""
    lines = [
        *preflight_lines(FULL.preflight, width=width),
        *causes_lines(FULL, width),
        *skips_lines(FULL, width),
    ]
    assert len(lines) > 20
    assert [line for line in lines if len(line) > width and " " in line.strip()] == []


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_harmless(text: str) -> None:
    """No text moves the cursor, colours, reverses or breaks a line, or is a command to a CI system."""
    subject = hostile(text)
    for width in (20, 80):
        lines = [
            header_line(subject.facts),
            *preflight_lines(subject.preflight, width=width),
            *causes_lines(subject, width),
            *skips_lines(subject, width),
        ]
        for line in lines:
            assert line.isprintable()
            assert not line.lstrip().startswith("::")
            assert "##[" not in line
            assert "##vso[" not in line
            line.encode("utf-8")


def test_long_message_is_cut() -> None:
    """A summary of 10 MB doesn't fill the terminal."""
    subject = report(diagnoses=(diagnosed("t.py::a", summary="word " * 2_000_000),))
    lines = causes_lines(subject, 80)
    assert len(lines) < 35
    assert lines[-2].endswith("...")
