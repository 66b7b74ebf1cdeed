"""`benchmarks/on_gpu.py`, which is made for a real GPU: that it works at all shows on a simulated one."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from .machine import Describe, Machine

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "on_gpu.py"


def on_gpu(machine: Machine, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run the script on a machine; return what it wrote, as data and as text."""
    folder = machine.folder / "gpu-runs"
    done = machine.run([sys.executable, str(SCRIPT), str(folder), *arguments], seconds=170)
    assert done.exit_status == 0, done.text
    (data,), (text,) = folder.glob("*.json"), folder.glob("*.txt")
    assert data.stem == text.stem
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-tesla-t4-tensorflow-2\.\d+\.\d+", data.stem)
    written = data.read_text("utf-8")
    assert "/on-gpu-" not in written
    assert str(SCRIPT.parents[1]) not in written
    return json.loads(written), text.read_text("utf-8")


def test_machine_and_failures(simulated_gpu: Describe) -> None:
    """The facts stand beside those of nvidia-smi; failures are made, and judged right where they are."""
    machine = simulated_gpu(memory="5 GiB")
    told, text = on_gpu(
        machine, "--only", "machine", "failures", "--jobs", "2",
        "--failures", r"^(a process leaves 50 MiB|libcublas\.so\.\d+ hidden|an index out of range)$",
    )  # fmt: skip
    assert told["about"]["simulated"] is True
    assert "simulated: True" in text
    held = {row["what"]: row["doctor"] for row in told["sections"]["machine"]["data"]["held"]["values"]}
    assert held["GPU 0: memory.total"] == 5120
    assert held["GPU 0: memory.free"] == 4096
    assert [process["memory_mib"] for process in held["processes"]] == [1024]
    failures = told["sections"]["failures"]["data"]
    assert [row["failure"].split()[0] for row in failures] == ["a", "an", "libcublas.so.12"]
    judged = [[result["judged"] for result in row["results"]] for row in failures]
    assert judged == [["right"]] * 3, text
    assert "3 right" in text
    assert "said: cuda-library-missing (confirmed)" in text


def test_judging() -> None:
    """A diagnosis is right only where it names a right cause, and silence only where nothing is to be said."""
    from benchmarks.real_gpu.failures import verdict

    assert verdict(("gpu-fault",), "gpu-fault", (), failed=True) == "right"
    assert verdict(("gpu-fault",), "gpu-busy", ("gpu-fault",), failed=True) == "among the others"
    assert verdict(("gpu-fault",), "gpu-busy", (), failed=True) == "wrong"
    assert verdict(("gpu-fault",), None, (), failed=True) == "silent"
    assert verdict(("gpu-fault",), None, (), failed=False) == "did not fail"
    assert verdict((), None, (), failed=False) == "right"
    assert verdict((), "gpu-busy", (), failed=True) == "wrong"


def test_numbers(simulated_gpu: Describe) -> None:
    """Each comparison of a check has its errors with TensorFloat-32 off and on."""
    told, text = on_gpu(simulated_gpu(), "--only", "numbers", "--checks", "matmul", "float16")
    rows = told["sections"]["numbers"]["data"]["rows"]
    names = [(row["check"], row["name"], row["tf32"]) for row in rows]
    assert ("matmul", "product", True) in names
    assert ("float16", "cast", False) in names
    assert all(0 <= row["median"] <= row["largest"] <= row["tolerance"] for row in rows), text


def test_no_gpu(simulated_gpu: Describe) -> None:
    """Where there is no GPU, nothing is run and nothing is written."""
    machine = simulated_gpu().without("libcuda.so.1", "libnvidia-ml.so.1")
    folder = machine.folder / "gpu-runs"
    done = machine.run([sys.executable, str(SCRIPT), str(folder)])
    assert (done.exit_status, done.stderr) == (1, "No GPU here: `tfgpu doctor` lists none.\n")
    assert not folder.exists()
