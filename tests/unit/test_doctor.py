"""`tfgpu doctor` as a command: its output, exit statuses and manners, on this machine and on simulated ones."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu import __version__
from pytest_tfgpu.model import Facts, Finding, Preflight
from tests.simulated.conftest import simulated_gpu, workshop  # noqa: F401
from tests.simulated.machine import Describe, tensorflow_version
from tests.trees import compile_library

COMMAND = [sys.executable, "-m", "pytest_tfgpu"]
WATCHED = "{'tensorflow', 'keras', 'numpy', 'pynvml', 'pytest', '_pytest', 'pluggy'}"


def tfgpu(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command on this machine."""
    environ = {**os.environ, **environment}
    return subprocess.run([*COMMAND, *arguments], env=environ, capture_output=True, text=True, timeout=60)


def test_json_of_this_machine() -> None:
    """The JSON is of schema 1, its parts are the records, and nothing else is printed."""
    done = tfgpu("doctor", "--json")
    answer = json.loads(done.stdout)
    assert sorted(answer) == ["facts", "findings", "preflight", "schema"]
    assert answer["schema"] == 1
    assert Facts.from_json(answer["facts"]).python == ".".join(map(str, sys.version_info[:3]))
    assert [Finding.from_json(finding) for finding in answer["findings"]]
    assert all(
        {"cause", "category", "severity", "summary", "evidence", "help"} <= set(finding)
        for finding in answer["findings"]
    )
    assert Preflight.from_json(answer["preflight"]).verdict == "not-asked"
    assert done.stderr == ""


def test_status_agrees_with_the_findings() -> None:
    """The exit status is 1 on a machine whose findings leave TensorFlow no GPU, and plain and JSON agree."""
    plain, data = tfgpu("doctor"), tfgpu("doctor", "--json")
    assert plain.returncode == data.returncode
    facts = json.loads(data.stdout)["facts"]
    if not facts.get("gpus"):
        assert data.returncode == 1


def test_output_is_read_at_80_columns() -> None:
    """Without a terminal no line of sentences is wider than 80 columns, and none is coloured."""
    done = tfgpu("doctor", COLUMNS="80", CUDA_VISIBLE_DEVICES="0")
    assert "\x1b" not in done.stdout
    wide = [line for line in done.stdout.splitlines() if len(line) > 80]
    assert not [line for line in wide if " " in line.strip()]


def test_imports() -> None:
    """Neither TensorFlow, NumPy, pynvml nor pytest is imported by doctor."""
    code = (
        "import sys; from pytest_tfgpu.cli.main import main; main(['doctor', '--json'])\n"
        f"print(sorted({WATCHED} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "[]\n"


@pytest.mark.skipif(sys.platform == "win32", reason="CPU time of children is known on Unix only")
def test_answers_at_once() -> None:
    """The cheapest of five runs takes at most 0.3 s of CPU time, NVML's child included."""
    import resource

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    times = []
    for _ in range(5):
        before = spent()
        tfgpu("doctor")
        times.append(spent() - before)
    assert min(times) <= 0.3, times


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a library of Linux")
def test_nvml_that_crashes(tmp_path: Path) -> None:
    """An NVML that crashes its process costs doctor nothing but that fact."""
    code = "#include <stdlib.h>\nint nvmlInitWithFlags(unsigned flags) { abort(); }"
    compile_library(tmp_path / "libnvidia-ml.so.1", code=code)
    done = tfgpu("doctor", "--json", LD_LIBRARY_PATH=str(tmp_path))
    assert json.loads(done.stdout)["facts"]["unknown"]["nvml"] == "NVML crashed (SIGABRT)."


def test_version() -> None:
    """`--version` prints the version and succeeds."""
    done = tfgpu("--version")
    assert (done.returncode, done.stdout) == (0, f"tfgpu {__version__}\n")


def test_help_lists_the_commands() -> None:
    """`--help` shows each sub-command with its line, and succeeds."""
    done = tfgpu("--help")
    assert done.returncode == 0
    assert "doctor" in done.stdout
    assert "Show this machine's GPUs" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["doctor", "--nonsense"], ["doctor", "file"]])
def test_usage(arguments: list[str]) -> None:
    """Arguments that make no sense are a usage error with status 2, on standard error."""
    done = tfgpu(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: tfgpu")


def test_closed_pipe() -> None:
    """A reader that goes away (`| head -1`) ends the command without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "doctor", "--json"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_full_disk() -> None:
    """Output that can't be written is one line on standard error, not a traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0
    assert os.strerror(errno.ENOSPC) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding(encoding: str) -> None:
    """Text that the terminal's encoding lacks, or that is no text at all, is escaped."""
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    raw = {**{os.fsencode(key): os.fsencode(value) for key, value in environ.items()}}
    raw[b"CUDA_HOME"] = b"/opt/\xe4\xb8\xad/\xff\x1b[31m"
    for extra in ([], ["--json"]):
        done = subprocess.run([*COMMAND, "doctor", *extra], env=raw, capture_output=True)
        assert done.returncode in (0, 1), done.stderr
        assert done.stderr == b""
        assert b"\x1b" not in done.stdout
        assert b"CUDA_HOME" in done.stdout


def test_working_directory_does_not_matter(tmp_path: Path) -> None:
    """Files in the working directory named as modules of the standard library or of TensorFlow do no harm."""
    for name in ("json.py", "ctypes.py", "pynvml.py", "subprocess.py"):
        (tmp_path / name).write_text("raise SystemExit(9)\n")
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/__init__.py").write_text("raise SystemExit(9)\n")
    script = Path(sys.executable).with_name("tfgpu")
    if not script.exists():
        pytest.skip("the command is not installed beside this Python")
    done = subprocess.run([str(script), "doctor"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr


def test_healthy_machine(simulated_gpu: Describe) -> None:  # noqa: F811
    """On a healthy simulated machine the status is 0, without findings."""
    done = simulated_gpu().run([*COMMAND, "doctor", "--json"])
    assert done.exit_status == 0
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["findings"] == []
    assert answer["facts"]["gpus"][0]["name"] == "Tesla T4"


@pytest.mark.parametrize(
    ("library", "text"),
    [
        ("libcusolver.so.11", "can't load libcusolver.so.11"),
        ("libnvidia-ml.so.1", "can't load NVML (libnvidia-ml.so.1)"),
        ("libcuda.so.1", "libcuda.so.1 is not found"),
    ],
)
def test_missing_library(simulated_gpu: Describe, library: str, text: str) -> None:  # noqa: F811
    """A library that is missing gives status 1 and stands in the text by its name."""
    done = simulated_gpu().without(library).run([*COMMAND, "doctor"])
    if library == "libnvidia-ml.so.1" and tensorflow_version() < (2, 17):  # doesn't ask NVML
        text = "NVML gives no answer"
    assert done.exit_status == 1
    assert text in " ".join(done.stdout.split())


def test_hidden_gpu(simulated_gpu: Describe) -> None:  # noqa: F811
    """A hidden GPU gives status 1, is shown as hidden, and the variable is named."""
    done = simulated_gpu().with_environment(CUDA_VISIBLE_DEVICES="-1").run([*COMMAND, "doctor"])
    assert done.exit_status == 1
    assert "(hidden)" in done.stdout
    assert "CUDA_VISIBLE_DEVICES=-1 hides the only GPU." in done.stdout


def test_preflight_without_gpu(simulated_gpu: Describe) -> None:  # noqa: F811
    """With `--preflight` and no visible GPU nothing is run, and the verdict is absent."""
    machine = simulated_gpu().with_environment(CUDA_VISIBLE_DEVICES="-1")
    answer = machine.doctor("--preflight")
    assert answer["preflight"]["verdict"] == "absent"
    assert answer["preflight"]["gpus"] == []
    assert [finding["cause"] for finding in answer["findings"]] == ["gpu-not-visible"]


def test_preflight_where_nvml_is_missing(simulated_gpu: Describe) -> None:  # noqa: F811
    """With `--preflight` the child tells whether there is a GPU where NVML can't: it is unusable, with status 1."""
    machine = simulated_gpu().without("libnvidia-ml.so.1")
    done = machine.run([*COMMAND, "doctor", "--preflight", "--json"])
    answer = json.loads(done.stdout)
    if tensorflow_version() < (2, 17):  # doesn't ask NVML
        assert (done.exit_status, answer["preflight"]["verdict"]) == (0, "ok")
        return
    assert (done.exit_status, answer["preflight"]["verdict"]) == (1, "unusable")
    assert "libnvidia-ml.so.1" in answer["findings"][0]["summary"]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_secrets_and_no_names_of_homes(tmp_path: Path, form: tuple[str, ...]) -> None:
    """What is printed holds no secret of the environment and no name of a home directory, as reports hold none."""
    done = tfgpu(
        "doctor",
        *form,
        HOME=str(tmp_path / "home"),
        DEPLOY_TOKEN="s3cr3t-value-of-mine",
        LD_LIBRARY_PATH=f"{tmp_path / 'home'}/lib:/home/somebody/lib:/opt/s3cr3t-value-of-mine/lib",
        XLA_FLAGS="--xla_dump_to=https://me:passw0rd@example.org/dump",
    )
    assert "~/lib:/home/***/lib:/opt/***/lib" in done.stdout.replace("\n" + " " * 12, "")
    for hidden in ("s3cr3t", "somebody", "passw0rd", str(tmp_path)):
        assert hidden not in done.stdout
