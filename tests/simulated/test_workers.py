"""pytest-xdist's workers on machines with GPUs: who sees which, who shares, who waits."""

from __future__ import annotations

import json
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page

from .machine import Describe, Gpu, Machine
from .process import Completed, Running

TELLING = {
    "test_it.py": """
import os

def test_it(worker_id):
    print("HAS", worker_id, repr(os.environ.get("CUDA_VISIBLE_DEVICES")), os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH"))
"""
}
"""A test that prints what its process sees."""

LIGHT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p tfgpu -p xdist"}
"""Keeps other plugins out of workers, which start sooner without them."""

MIXED = (Gpu(), Gpu(name="NVIDIA A100-SXM4-40GB", compute_capability="8.0", memory="40 GiB"))


@pytest.fixture
def simulated_gpu(simulated_gpu: Describe) -> Describe:
    """Describe a machine on which pytest loads this plugin and pytest-xdist only."""
    return lambda *arguments, **settings: simulated_gpu(*arguments, **settings).with_environment(**LIGHT)


def each(number: int | str) -> tuple[str, ...]:
    """Return the arguments with which every worker runs every test, and says what it prints."""
    return ("-n", str(number), "--dist=each", "-rP")


def seen(done: Completed) -> dict[str, str]:
    """Return what CUDA_VISIBLE_DEVICES was in each worker, in Python's spelling."""
    return dict(re.findall(r"^HAS (\w+) (.*) \w+$", done.stdout, re.M))


def folder_with(machine: Machine, text: str) -> Path:
    """Return a new folder of a machine, with one test module in it."""
    folder = Path(tempfile.mkdtemp(dir=machine.folder, prefix="run-"))
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(text)
    return folder


@contextmanager
def run_beside(machine: Machine, text: str, *arguments: str) -> Iterator[Running]:
    """Run pytest on one test module on this machine, while something else goes on."""
    command = [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    running = machine.start(command, folder=folder_with(machine, text))
    try:
        yield running
    finally:
        running.end()
        running.finish()


# ------------------------------------------------------------------------------------------- who sees which


def test_each_worker_sees_its_own_gpu(simulated_gpu: Describe) -> None:
    """Four workers on four GPUs see one each, the session says so, and the report has the GPU of each test."""
    result = simulated_gpu(gpus=4).run_pytest(*each(4), "--tfgpu-gpus-per-worker=1", files=TELLING)
    assert seen(result) == {f"gw{n}": f"'{n}'" for n in range(4)}, result.text
    assert " True" not in result.stdout
    for number in range(4):
        assert f"tfgpu: GPU {number} for gw{number}\n" in result.stdout
    (test,) = result.report["tests"]
    assert test["gpu"] == int(test["worker"].removeprefix("gw"))


def test_nothing_was_asked_for(simulated_gpu: Describe) -> None:
    """A session that asks for nothing about GPUs and workers is left as it is."""
    result = simulated_gpu(gpus=2).run_pytest(*each(2), files=TELLING)
    assert seen(result) == {"gw0": "None", "gw1": "None"}
    assert "tfgpu: GPU" not in result.stdout
    assert "gpu" not in result.report["tests"][0]


def test_twelve_workers_on_twelve_unlike_gpus(simulated_gpu: Describe) -> None:
    """Worker gw11 gets the twelfth GPU; unlike GPUs are given by uuid, for CUDA may number them in another order."""
    machine = Machine(simulated_gpu().workshop, name="twelve", gpus=MIXED * 6).with_environment(**LIGHT)
    result = machine.run_pytest(*each(12), "--tfgpu-gpus-per-worker=1", files=TELLING)
    uuids = {f"gw{n}": f"'GPU-{n:08x}-5d1e-4b2c-9a37-0123456789ab'" for n in range(12)}
    assert seen(result) == uuids, result.text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", {"gw0": "'1'", "gw1": "'1'"}),
        ("GPU-00000003,GPU-00000001", {"gw0": "'GPU-00000003'", "gw1": "'GPU-00000001'"}),
        ("", {"gw0": "''", "gw1": "''"}),
        ("-1", {"gw0": "'-1'", "gw1": "'-1'"}),
        ("7", {"gw0": "'7'", "gw1": "'7'"}),
    ],
)
def test_outer_list(simulated_gpu: Describe, value: str, expected: dict[str, str]) -> None:
    """Workers get words of the outer CUDA_VISIBLE_DEVICES; where it shows nothing, nothing is given."""
    machine = simulated_gpu(gpus=4).with_environment(CUDA_VISIBLE_DEVICES=value)
    result = machine.run_pytest(*each(2), "--tfgpu-gpus-per-worker=1", files=TELLING)
    assert seen(result) == expected, result.text


def test_mig_instances(simulated_gpu: Describe) -> None:
    """Of a GPU in MIG mode, of which a process sees one instance, each worker gets its own."""
    part = Gpu(name="NVIDIA A100-SXM4-40GB MIG 1g.5gb", compute_capability="8.0", memory="5 GiB")
    machine = simulated_gpu().with_gpu(
        0, name="NVIDIA A100-SXM4-40GB", memory="40 GiB", instances=(part, part)
    )
    result = machine.run_pytest(*each(2), "--tfgpu-gpus-per-worker=1", files=TELLING)
    found = [uuid.strip("'").partition("-77c0")[0] for _, uuid in sorted(seen(result).items())]
    assert found == ["MIG-00000000", "MIG-00000001"], result.text


def test_a_worker_that_dies_comes_back_to_its_gpu(simulated_gpu: Describe) -> None:
    """The worker that takes the place of a dead one sees the same GPU."""
    text = """
import os, pytest

@pytest.mark.parametrize("n", range(2))
def test_it(n, worker_id):
    if worker_id == "gw0":
        os._exit(1)
    print("HAS", worker_id, repr(os.environ.get("CUDA_VISIBLE_DEVICES")), None)
"""
    machine = simulated_gpu(gpus=2).with_environment(CUDA_VISIBLE_DEVICES="1,0")
    result = machine.run_pytest("-n", "1", "-rP", "--tfgpu-workers-per-gpu=1", files={"test_it.py": text})
    assert result.outcomes == {"passed": 1, "failed": 1}, result.text
    assert seen(result) == {"gw1": "'1'"}
    assert {test["gpu"] for test in result.report["tests"]} == {1}


# ------------------------------------------------------------------------------------------------- sharing


def test_requirements_of_a_worker(simulated_gpu: Describe) -> None:
    """A test that needs more GPUs than its worker has is skipped with the setting to change; free memory is shared."""
    text = """
import pytest

@pytest.mark.requires_gpu(2)
def test_two():
    pass

@pytest.mark.requires_gpu(free_memory="4 GiB")
def test_memory():
    pass
"""
    machine = simulated_gpu(gpus=2, memory="9 GiB").holding("1 GiB")
    skipped = machine.run_pytest("-n", "3", "-rs", "--tfgpu-gpus-per-worker=1", files={"test_it.py": text})
    found = {skip["nodeid"].partition("::")[2]: skip["found"] for skip in skipped.report["skips"]}
    assert "; the workers have 2 together: --tfgpu-gpus-per-worker=2" in found["test_two"], skipped.text
    both = machine.run_pytest("-n", "1", "--tfgpu-gpus-per-worker=2", files={"test_it.py": text})
    assert both.outcomes == {"passed": 2}, both.text
    shared = machine.run_pytest(
        "-n", "3", "--dist=each", "--tfgpu-gpus-per-worker=2", files={"test_it.py": text}
    )
    assert "GPU 0 and GPU 1 for gw0, gw1, gw2" in shared.stdout
    (skip,) = shared.report["skips"]
    assert skip["found"].count(" MiB free for this worker") == 2, skip
    assert "2730 MiB free for this worker" in skip["found"]


def test_a_gpu_of_another_worker_would_do(simulated_gpu: Describe) -> None:
    """On unlike GPUs the reason of a skip names the GPU of another worker that meets the requirement."""
    text = (
        "import pytest\n\n@pytest.mark.requires_gpu(compute_capability='>=8.0')\ndef test_it():\n    pass\n"
    )
    machine = Machine(simulated_gpu().workshop, name="unlike", gpus=MIXED).with_environment(**LIGHT)
    result = machine.run_pytest(*each(2), "--tfgpu-gpus-per-worker=1", files={"test_it.py": text})
    assert result.outcomes == {"passed": 1, "skipped": 1}, result.text
    (skip,) = result.report["skips"]
    assert skip["found"].endswith("; GPU 1 would do and is another worker's: --tfgpu-gpus-per-worker=2")


def test_auto_starts_what_there_is_room_for(simulated_gpu: Describe) -> None:
    """`-n auto` starts one worker on a GPU that has memory for one, and as many as the outer variable says."""
    machine = simulated_gpu(memory="8 GiB").holding("3 GiB")
    few = machine.run_pytest("-n", "auto", "--dist=each", "-rP", "--tfgpu-gpus-per-worker=1", files=TELLING)
    assert list(seen(few)) == ["gw0"], few.text
    told = machine.with_environment(PYTEST_XDIST_AUTO_NUM_WORKERS="2")
    two = told.run_pytest("-n", "auto", "--dist=each", "-rP", "--tfgpu-workers-per-gpu=1", files=TELLING)
    assert sorted(seen(two)) == ["gw0", "gw1"]
    assert "tfgpu: more than --tfgpu-workers-per-gpu=1" in two.stdout


COMPUTING = """
import os, time
import pynvml
from pathlib import Path

def wait_for_all(folder, name):
    (folder / name).touch()
    deadline = time.monotonic() + 90
    while len(list(folder.iterdir())) < WORKERS:
        assert time.monotonic() < deadline
        time.sleep(0.05)

def test_it(worker_id, tmp_path_factory):
    import tensorflow as tf
    folder = tmp_path_factory.getbasetemp().parent / "computed"
    folder.mkdir(exist_ok=True)
    with tf.device("/GPU:0"):
        product = tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))
    assert product.numpy()[0, 0] == 64
    wait_for_all(folder, worker_id)
    pynvml.nvmlInit()
    gpus = range(pynvml.nvmlDeviceGetCount())
    pids = [[process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(
        pynvml.nvmlDeviceGetHandleByIndex(n))] for n in gpus]
    print("HAS", worker_id, [n for n in gpus if os.getpid() in pids[n]], None)
"""


def test_tensorflow_computes_on_the_workers_gpu(simulated_gpu: Describe) -> None:
    """NVML lists each worker under the GPU that it was given, and under no other, after the preflight, too."""
    files = {"test_it.py": COMPUTING.replace("WORKERS", "2")}
    arguments = ("--tfgpu-preflight", "--tfgpu-checks=device")
    result = simulated_gpu(gpus=2).run_pytest(*each(2), *arguments, files=files)
    assert seen(result) == {"gw0": "[0]", "gw1": "[1]"}, result.text


def test_workers_share_a_gpu(simulated_gpu: Describe) -> None:
    """Two workers compute on one GPU at once; with the conftest of the documentation each keeps to its share."""
    page = Page(ROOT / "docs/how-to/xdist.md")
    (conftest,) = (block.text for block in page.blocks if block.filename == "conftest.py")
    files = {"test_it.py": COMPUTING.replace("WORKERS", "2"), "conftest.py": conftest}
    result = simulated_gpu(memory="6 GiB").run_pytest(*each(2), "--tfgpu-gpus-per-worker=1", files=files)
    assert seen(result) == {"gw0": "[0]", "gw1": "[0]"}, result.text
    assert len(re.findall("Created device .* with 2048 MB memory", result.stdout)) == 2


# ------------------------------------------------------------------------------------------------- the lock


HOLDING = """
import os, sys, time

def test_it():
    os.write(2, f"HAS main {os.environ.get('CUDA_VISIBLE_DEVICES')!r} None\\n".encode())
    while not os.path.exists("go"):
        time.sleep(0.05)
"""
"""A test that says what it sees and then waits until it is let go."""


@pytest.fixture
def own_gpus(simulated_gpu: Describe) -> Iterator[Machine]:
    """A machine with two GPUs that no other test's machine has, so that nobody else locks them."""
    from uuid import uuid4

    machine = simulated_gpu(gpus=2)
    for number in range(2):
        machine = machine.with_gpu(number, uuid=f"GPU-{uuid4()}")
    yield machine
    for gpu in machine.gpus:
        for path in Path("/tmp/pytest-tfgpu-locks").glob(f"{gpu.uuid}.*"):
            path.unlink()


def test_a_second_run_takes_another_gpu_and_a_third_waits(own_gpus: Machine) -> None:
    """Three runs with one worker each on two GPUs: the third waits, says for whom, and goes on when one was killed."""
    arguments = ("-n", "1", "-s", "--tfgpu-lock")
    with run_beside(own_gpus, HOLDING, *arguments) as first:
        first.wait_for("tfgpu: GPU 0 for gw0")
        with run_beside(own_gpus, HOLDING, *arguments) as second:
            second.wait_for("tfgpu: GPU 1 for gw0")
            with run_beside(own_gpus, TELLING["test_it.py"], "-n", "1", "-rP", "--tfgpu-lock") as third:
                third.wait_for("tfgpu: waiting for a GPU: ")
                third.wait_for(f"GPU 0 is in use by another pytest run (process {first.process.pid})")
                first.end()
                done = third.finish()
    assert done.exit_status == 0, done.text
    assert "tfgpu: GPU 0 locked for this run" in done.stdout
    assert seen(done) == {"gw0": "'0'"}


def test_a_run_without_workers_locks_all_that_is_left(own_gpus: Machine) -> None:
    """A plain run sees only the GPUs that it locked; a pytest that its test starts takes them as its own."""
    text = """
import os, subprocess, sys

def test_it():
    print("HAS outer", repr(os.environ.get("CUDA_VISIBLE_DEVICES")), None)
    with open("inner.py", "w") as file:
        file.write("def test_inner():\\n    pass\\n")
    inner = [sys.executable, "-m", "pytest", "--tfgpu-lock", "-p", "no:cacheprovider", "inner.py"]
    assert subprocess.run(inner, timeout=60).returncode == 0
"""
    with run_beside(own_gpus, HOLDING, "-n", "1", "-s", "--tfgpu-lock") as first:
        first.wait_for("tfgpu: GPU 0 for gw0")
        result = own_gpus.run_pytest("-rP", "--tfgpu-lock", files={"test_it.py": text})
        checked = own_gpus.run_pytest("--tfgpu-lock", "--tfgpu-require=1", "--tfgpu-checks=device")
    assert result.outcomes["passed"] == 1, result.text
    assert seen(result) == {"outer": "'1'"}
    assert [gpu["index"] for gpu in checked.report["preflight"]["gpus"]] == [1]
    alone = own_gpus.run_pytest("-rP", "--tfgpu-lock", files=TELLING | {"conftest.py": WORKER_ID})
    assert "tfgpu: GPU 0, GPU 1 locked for this run" in alone.stdout
    assert seen(alone) == {"master": "None"}


def test_a_doubtful_order_is_said(own_gpus: Machine) -> None:
    """Where an index of the outer list may mean another GPU to CUDA than to the lock, a line says so."""
    unlike = own_gpus.with_gpu(1, name="NVIDIA A100").with_environment(CUDA_VISIBLE_DEVICES="0")
    sentence = "CUDA may number the unlike GPUs of this machine in another order"
    assert sentence in unlike.run_pytest("--tfgpu-lock").stdout
    sure = unlike.with_environment(CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert sentence not in sure.run_pytest("--tfgpu-lock").stdout


WORKER_ID = "import pytest\n\n@pytest.fixture\ndef worker_id():\n    return 'master'\n"


# ---------------------------------------------------------------------------------------------- other hosts


@contextmanager
def host(machine: Machine) -> Iterator[str]:
    """Let workers be started on a machine through a socket; gives its address."""
    import execnet.script.socketserver

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    folder = Path(tempfile.mkdtemp(dir=machine.folder, prefix="host-"))
    running = machine.start(
        [sys.executable, "-u", execnet.script.socketserver.__file__, address], folder=folder
    )
    try:
        running.wait_for("Entering Accept loop")
        yield address
    finally:
        running.end()
        running.finish()


def test_each_host_is_judged_by_its_own_facts(simulated_gpu: Describe, tmp_path: Path) -> None:
    """A worker on another host is judged by the facts and checks of that host, and leaves nothing there."""
    text = """
import pytest

@pytest.mark.requires_gpu(compute_capability=">=8.0")
def test_new():
    pass

@pytest.mark.requires_check("matmul")
def test_product(tfgpu):
    print("HAS", tfgpu.facts.gpus[0].name.split()[-1], [gpu.name for gpu in tfgpu.preflight.gpus], None)
"""
    here, there = simulated_gpu(gpus=1), simulated_gpu(gpus=2, name="NVIDIA A100", compute_capability="8.0")
    there = there.failing("cublasCreate*", 1).with_environment(TMPDIR=str(tmp_path))
    folder = folder_with(here, text)
    report = folder / "report.json"
    with host(there) as address:
        done = here.run(
            [
                sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rsP", "--dist=each", "--tx=popen",
                f"--tx=socket={address}", f"--rsyncdir={folder}", f"--tfgpu-report=json:{report}",
                "--tfgpu-preflight", "--tfgpu-checks=device,matmul", str(folder),
            ],
            folder=folder,
        )  # fmt: skip
    assert re.search(r" 1 passed, 3 skipped\b", done.stdout), done.text
    assert seen(done) == {"T4": "['Tesla T4']"}
    broken = "found no GPU that TensorFlow can use: 2 of 2 GPUs fail a check"
    reasons = re.findall(r"^SKIPPED \[1\] (\S+?):\d+: (requires_\w+)\(.*?\): (found .*)$", done.stdout, re.M)
    assert [reason for where, _, reason in reasons if where == "test_it.py"] == [
        "found 1 GPU (Tesla T4, compute capability 7.5)"
    ]
    remote = {marker: reason for where, marker, reason in reasons if "pyexecnetcache" in where}
    assert remote.keys() == {"requires_gpu", "requires_check"}
    assert all(reason.startswith(broken) for reason in remote.values())
    assert f"pytest-tfgpu: on {platform.node()}: GPU unusable: 2 of 2 GPUs fail a check" in done.stdout
    assert list(tmp_path.iterdir()) == []
    told = json.loads(report.read_text("utf-8"))
    assert [gpu["name"] for gpu in told["facts"]["gpus"]] == ["Tesla T4"]
    (other,) = told["hosts"]
    assert (other["name"], len(other["workers"])) == (platform.node(), 1)
    assert [gpu["name"] for gpu in other["facts"]["gpus"]] == ["NVIDIA A100"] * 2
    assert other["preflight"]["verdict"] == "unusable"
    assert {check["outcome"] for gpu in other["preflight"]["gpus"] for check in gpu["checks"]} == {
        "passed",
        "failed",
    }
