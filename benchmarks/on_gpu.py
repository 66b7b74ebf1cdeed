"""Run the plugin on a machine with a real NVIDIA GPU, and write down what it says: one JSON and one text file.

    python benchmarks/on_gpu.py docs/gpu-runs
    python benchmarks/on_gpu.py docs/gpu-runs --only machine preflight --seconds 540

- `machine`: the doctor's facts beside those of `nvidia-smi`, idle and while a process holds the memory.
- `preflight`: each check's time and error beside a bare script, with an empty cache of compiled kernels and again.
- `numbers`: the errors of the checks against float64, over many inputs, with TensorFloat-32 off and on.
- `failures`: failures made for real, what TensorFlow printed and raised, what was said, and whether it was right.
- `suite`: requirements, fixtures, workers and memory in a suite that uses the GPU.
- `cost`: what the plugin costs per test there.

Needs TensorFlow with its CUDA libraries, pytest and nvidia-ml-py; the project itself is used as it lies here. The files
are written anew after each part, so that what was seen is kept where time runs out. Takes some minutes, more where
kernels are compiled for the GPU first. It changes no setting of the GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from benchmarks.real_gpu import cost, failures, machine, numbers, preflight, suite  # noqa: E402
from benchmarks.real_gpu.place import Place  # noqa: E402

Section = tuple[Callable[[Place], Any], Callable[[Any], list[str]]]


def make_failures(place: Place, jobs: int, only: str, deadline: float) -> list[dict[str, Any]]:
    """Make the failures: those about memory one after the other, the others some at a time."""
    facts = place.doctor()["facts"]
    names = tuple(library["name"] for library in facts["libraries"] if library.get("path"))
    wanted = [
        row
        for row in failures.failures(facts["gpus"][0]["memory_total_mib"], names)
        if re.search(only, row.name)
    ]

    def play(failure: failures.Failure) -> dict[str, Any]:
        if time.monotonic() > deadline:
            return {"failure": failure.name, "not_made": "there was no time left"}
        growing = {} if failure.alone else {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        return failures.play(place.having(**growing), failure)

    with ThreadPoolExecutor(jobs) as pool:
        together = {row.name: pool.submit(play, row) for row in wanted if not row.alone}
        done = {name: future.result() for name, future in together.items()}
    done |= {row.name: play(row) for row in wanted if row.alone}
    return [done[row.name] for row in wanted]


def sections(arguments: argparse.Namespace, deadline: float) -> dict[str, Section]:
    """Return the parts: how each is run, and how it is told."""
    made = partial(make_failures, jobs=arguments.jobs, only=arguments.failures, deadline=deadline)
    return {
        "machine": (machine.beside, machine.lines),
        "preflight": (partial(preflight.compare, device=arguments.device), preflight.lines),
        "numbers": (
            partial(numbers.measure, device=arguments.device, checks=arguments.checks),
            numbers.lines,
        ),
        "failures": (made, failures.lines),
        "suite": (suite.use, suite.lines),
        "cost": (cost.measure, cost.lines),
    }


def heading(place: Place) -> dict[str, Any]:
    """Return what the run is about: date, GPU, driver, versions."""
    facts = place.doctor()["facts"]
    gpus = facts.get("gpus") or []
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "gpu": ", ".join(gpu["name"] for gpu in gpus) or "none",
        "simulated": "SIMULATED_GPU" in os.environ,
        "driver": facts.get("driver"),
        "tensorflow": facts.get("tensorflow"),
        "cuda": facts.get("cuda"),
        "cudnn": facts.get("cudnn"),
        "python": facts.get("python"),
    }


def tell(told: dict[str, Any], parts: dict[str, Section]) -> Iterator[str]:
    """Yield the lines of the text file."""
    yield from (f"{name}: {value}" for name, value in told["about"].items())
    for name, section in told["sections"].items():
        yield f"\n{'=' * 10} {name} ({section['seconds']} s) {'=' * 10}"
        if "failed" in section:
            yield section["failed"]
        else:
            yield from parts[name][1](section["data"])


def without_paths(text: str, folders: dict[str, str]) -> str:
    """Return a text in which these folders have other names."""
    for folder, name in folders.items():
        text = text.replace(folder, name)
    return text


def main() -> int:
    """Run the parts and write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = tuple(sections(argparse.Namespace(jobs=1, failures="", device="gpu", checks=()), 0))
    parser.add_argument("folder", type=Path, help="where the two files are written")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="PART", help=", ".join(names)
    )
    parser.add_argument(
        "--failures", default="", metavar="REGEX", help="make only the failures of such names"
    )
    parser.add_argument(
        "--checks",
        nargs="+",
        default=numbers.CHECKS,
        metavar="CHECK",
        help="the checks whose errors are taken",
    )
    parser.add_argument(
        "--kernels",
        type=Path,
        metavar="DIR",
        help="keep the kernels that the driver compiles, for another run",
    )
    parser.add_argument("--jobs", type=int, default=3, help="failures that are made at a time (default: 3)")
    parser.add_argument(
        "--seconds", type=float, default=1500, help="begin nothing after so long (default: 1500)"
    )
    parser.add_argument(
        "--device", choices=("gpu", "cpu"), default="gpu", help="where checks and numbers run"
    )
    arguments = parser.parse_args()
    began = time.monotonic()
    parts = sections(arguments, began + arguments.seconds)
    with tempfile.TemporaryDirectory(prefix="on-gpu-") as scratch:
        kernels = arguments.kernels or Path(scratch, "kernels")
        place = preflight.caching(Place(Path(scratch)), kernels.absolute())
        about = heading(place)
        if about["gpu"] == "none" and arguments.device == "gpu":
            print("No GPU here: `tfgpu doctor` lists none.", file=sys.stderr)
            return 1
        written = f"{about['date']}-{about['gpu']}-tensorflow-{about['tensorflow']}"
        output = arguments.folder / re.sub(r"[^a-z0-9.]+", "-", written.lower())
        output.parent.mkdir(parents=True, exist_ok=True)
        hidden = {scratch: "SCRATCH", str(ROOT): "PROJECT", sys.prefix: "PYTHON", str(Path.home()): "~"}
        told: dict[str, Any] = {"about": about, "sections": {}}
        for name in (name for name in names if name in arguments.only):
            started = time.monotonic()
            if started - began > arguments.seconds:
                told["sections"][name] = {"seconds": 0.0, "failed": "not run: there was no time left"}
                continue
            try:
                result = {"data": parts[name][0](place)}
            except Exception as failure:
                result = {"failed": f"{type(failure).__name__}: {failure}"}
            told["sections"][name] = {"seconds": round(time.monotonic() - started, 1), **result}
            print(f"{name}: {told['sections'][name]['seconds']} s", flush=True)
            text = "\n".join(tell(told, parts)) + "\n"
            data = json.dumps(told, indent=1, default=str) + "\n"
            for suffix, content in ((".txt", text), (".json", data)):
                path = output.with_name(output.name + suffix)
                path.write_text(without_paths(content, hidden), "utf-8")
    print(f"written: {output}.json, {output}.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
