"""Run the plugin on a machine with a real NVIDIA GPU, and write down what it says: one JSON and one text file.

    python benchmarks/on_gpu.py docs/gpu-runs
    python benchmarks/on_gpu.py docs/gpu-runs --only machine preflight --seconds 480

- `machine`: the doctor's facts beside those of `nvidia-smi`, idle and while a process holds the memory.
- `preflight`: each check's time and error beside a bare script, with an empty cache of compiled kernels and again.
- `failures`: failures made for real, what TensorFlow printed and raised, what was said, and whether it was right.
- `numbers`: the errors of the checks against float64, over many inputs, with TensorFloat-32 off and on.
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

PARTS = ("machine", "preflight", "failures", "numbers", "suite", "cost")
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
    """Return the parts by their names: how each is run, and how it is told."""
    made = partial(make_failures, jobs=arguments.jobs, only=arguments.failures, deadline=deadline)
    return {
        "machine": (machine.beside, machine.lines),
        "preflight": (partial(preflight.compare, device=arguments.device), preflight.lines),
        "failures": (made, failures.lines),
        "numbers": (
            partial(numbers.measure, device=arguments.device, checks=arguments.checks),
            numbers.lines,
        ),
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
            continue
        try:
            yield from parts[name][1](section["data"])
        except Exception as failure:
            yield f"(the rest stands in the JSON file alone: {type(failure).__name__}: {failure})"


def places() -> dict[str, str]:
    """Return the folders from which packages are imported, with names for them."""
    searched = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    named = {folder: "SITE" for folder in searched if folder.count(os.sep) > 1}
    return named if sys.prefix == sys.base_prefix else {**named, sys.prefix: "PYTHON"}


def write(path: Path, text: str, folders: dict[str, str]) -> None:
    """Write a text in which these folders have other names."""
    for folder, name in folders.items():
        text = text.replace(folder, name)
    path.write_text(text, "utf-8")


def arguments_of(names: tuple[str, ...]) -> argparse.Namespace:
    """Return what the command line asks for; the parts have these names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("folder", type=Path, help="where the two files are written")
    add("--only", nargs="+", choices=names, default=names, metavar="PART", help=", ".join(names))
    add("--failures", default="", metavar="REGEX", help="make only the failures of such names")
    add("--checks", nargs="+", default=numbers.CHECKS, metavar="CHECK", help="those whose errors are taken")
    add(
        "--kernels",
        type=Path,
        metavar="DIR",
        help="keep the kernels that the driver compiles, for another run",
    )
    add("--jobs", type=int, default=3, help="failures that are made at a time (default: 3)")
    add("--seconds", type=float, default=1500, help="begin nothing after so long (default: 1500)")
    add("--device", choices=("gpu", "cpu"), default="gpu", help="where checks and numbers run")
    return parser.parse_args()


def run(parts: dict[str, Section], place: Place, deadline: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the parts one after the other; yield the name of each, and what came of it."""
    for name, (part, _) in parts.items():
        started = time.monotonic()
        result: dict[str, Any]
        if started > deadline:
            result = {"failed": "not run: there was no time left"}
        else:
            try:
                result = {"data": part(place)}
            except Exception as failure:
                result = {"failed": f"{type(failure).__name__}: {failure}"}
        seconds = round(time.monotonic() - started, 1)
        print(f"{name}: {seconds} s", flush=True)
        yield name, {"seconds": seconds, **result}


def main() -> int:
    """Run the parts and write the files, anew after each part."""
    arguments = arguments_of(PARTS)
    deadline = time.monotonic() + arguments.seconds
    parts = sections(arguments, deadline)
    with tempfile.TemporaryDirectory(prefix="on-gpu-") as scratch:
        kernels = arguments.kernels or Path(scratch, "kernels")
        place = preflight.caching(Place(Path(scratch)), kernels.absolute())
        about = heading(place)
        if about["gpu"] == "none" and arguments.device == "gpu":
            print("No GPU here: `tfgpu doctor` lists none.", file=sys.stderr)
            return 1
        name = f"{about['date']}-{about['gpu']}-tensorflow-{about['tensorflow']}"
        output = arguments.folder / re.sub(r"[^a-z0-9.]+", "-", name.lower())
        output.parent.mkdir(parents=True, exist_ok=True)
        folders = {scratch: "SCRATCH", str(ROOT): "PROJECT", **places(), str(Path.home()): "~"}
        told: dict[str, Any] = {"about": about, "sections": {}}
        asked = {name: parts[name] for name in PARTS if name in arguments.only}
        for part, result in run(asked, place, deadline):
            told["sections"][part] = result
            write(
                output.with_name(f"{output.name}.json"),
                json.dumps(told, indent=1, default=str) + "\n",
                folders,
            )
            write(output.with_name(f"{output.name}.txt"), "\n".join(tell(told, parts)) + "\n", folders)
    print(f"written: {output}.json, {output}.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
