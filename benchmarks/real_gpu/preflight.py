"""The preflight's checks beside a bare script that does the same work, the first time and the second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.real_gpu.place import ROOT, Place
from pytest_tfgpu.preflight.checks import builtin_checks

BARE = "bare script"
LIMIT = 280
"""Seconds that the checks may take; where kernels are compiled at first use they may need more than by default."""


def compare(place: Place, device: str) -> dict[str, Any]:
    """Run both twice, each with a cache of compiled kernels that is empty at first; then every check.

    The bare script has a cache of its own; the preflight fills that of the place, which later parts find.
    """
    told: dict[str, Any] = {"runs": []}
    alone = caching(place, place.folder / "kernels of the bare script")
    for number in (1, 2):
        told["runs"].append({"what": BARE, "number": number, **bare(alone, device)})
        told["runs"].append({"what": "preflight", "number": number, **preflight(place, device)})
    names = ",".join(check.name for check in builtin_checks() if check.name != "collective")
    every = preflight(place, device, f"--tfgpu-checks={names}")
    told["runs"].append({"what": "every check that one GPU can answer", "number": 1, **every})
    return told


def caching(place: Place, folder: Path) -> Place:
    """Return the same place where the driver keeps the kernels that it compiles in this folder (at most 4 GiB)."""
    folder.mkdir(parents=True, exist_ok=True)
    return place.having(CUDA_CACHE_PATH=str(folder), CUDA_CACHE_MAXSIZE=str((1 << 32) - 1))


def bare(place: Place, device: str) -> dict[str, Any]:
    """Run the bare script."""
    script, on_cpu = ROOT / "benchmarks" / "bare_checks.py", ["cpu"] if device == "cpu" else []
    done = place.python(str(script), *on_cpu, seconds=LIMIT)
    printed = [line.split() for line in done.stdout.splitlines()]
    checks = [
        {"name": name, "seconds": float(seconds), "error": float(error)} for name, seconds, error in printed
    ]
    told: dict[str, Any] = {"seconds": round(done.seconds, 2), "checks": checks}
    return told if done.exit_status == 0 else {**told, "failed": done.stderr[-4000:]}


def preflight(place: Place, device: str, *arguments: str) -> dict[str, Any]:
    """Run a session with a preflight."""
    asked = (
        "--tfgpu-preflight",
        f"--tfgpu-device={device}",
        f"--tfgpu-preflight-timeout={LIMIT}",
        *arguments,
    )
    session = place.session({"test_it.py": "def test_it():\n    pass\n"}, *asked, seconds=LIMIT + 20)
    verdict = (session.report or {}).get("preflight", {})
    told: dict[str, Any] = {
        "seconds": round(session.seconds, 2),
        "verdict": verdict.get("verdict"),
        "of the child": verdict.get("seconds"),
        "checks": [
            {
                "name": check["name"],
                "outcome": check["outcome"],
                "seconds": check.get("seconds"),
                "error": check.get("max_error"),
                "tolerance": check.get("tolerance"),
                "message": check.get("message"),
            }
            for gpu in verdict.get("gpus", [])[:1]
            for check in gpu["checks"]
        ],
    }
    good = verdict.get("verdict") == "ok"
    return told if good else {**told, "failed": session.text[-8000:], "preflight": verdict}


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section as text."""
    text = []
    for run in told["runs"]:
        text.append(
            f"{run['what']}, run {run['number']}: {run['seconds']} s  {run.get('verdict', '')}".rstrip()
        )
        for check in run["checks"]:
            seconds = "" if check["seconds"] is None else f"{check['seconds']:8.3f} s"
            error = "" if check["error"] is None else f"{check['error']:.2g}"
            allowed = f" / {check['tolerance']:.2g}" if check.get("tolerance") is not None else ""
            text.append(
                f"  {check['name']:17}{check.get('outcome', 'passed'):9}{seconds:>11}  {error}{allowed}"
            )
    return text
