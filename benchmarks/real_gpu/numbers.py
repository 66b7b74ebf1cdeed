"""The errors of the checks against float64, over many fresh inputs, with TensorFloat-32 off and on.

Started as a program, with a device, a number of runs and the name of a check, it prints a line of JSON for each
comparison that the check makes, and each setting.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from benchmarks.real_gpu.place import Place
from tests.simulated.process import Completed

CHECKS = (
    "matmul",
    "conv2d",
    "float16",
    "bfloat16",
    "conv2d-backward",
    "depthwise",
    "batch-norm",
    "rnn",
    "xla",
)
RUNS = 20


def measure(place: Place, device: str, checks: Sequence[str] = CHECKS) -> dict[str, Any]:
    """Run each check in a process of its own, three at a time."""
    here = place.having(TF_FORCE_GPU_ALLOW_GROWTH="true")
    rows: list[dict[str, Any]] = []
    with ThreadPoolExecutor(3) as pool:
        for name, done in zip(checks, pool.map(partial(run, here, device), checks), strict=True):
            rows += map(json.loads, done.stdout.splitlines())
            if done.exit_status:
                rows.append({"check": name, "failed": done.exit_status, "output": done.text[-4000:]})
    return {"runs": RUNS, "rows": rows}


def run(place: Place, device: str, check: str) -> Completed:
    """Run this module as a program."""
    return place.python("-m", __name__, device, str(RUNS), check, seconds=300)


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section as text."""
    text = [
        f"{'check':16}{'comparison':18}{'type':10}{'TF32':6}{'median':>10}{'largest':>10}{'tolerance':>11}"
    ]
    for row in told["rows"]:
        tf32 = "on" if row["tf32"] else "off"
        name = f"{row['check']:16}{row['name']:18}{row['dtype']:10}{tf32:6}"
        if row["median"] is None:
            text.append(f"{name}{row['message']}")
        else:
            text.append(f"{name}{row['median']:10.2g}{row['largest']:10.2g}{row['tolerance']:11.2g}")
    return text + told.get("failed", "").splitlines()[-12:]


def main() -> None:
    """Run a check and print its errors."""
    device, runs, name = sys.argv[1].upper(), int(sys.argv[2]), sys.argv[3]
    import tensorflow as tf

    from pytest_tfgpu.preflight import worker
    from pytest_tfgpu.preflight.checks import builtin_checks

    worker.prepare(tf, device)
    (found,) = (check for check in builtin_checks() if check.name == name)
    check = {"name": name, "run": found.run}
    for tf32 in (False, True) if device == "GPU" else (False,):
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
        results = [worker.run_check(tf, check, f"/{device}:0", None) for _ in range(runs)]
        for row in errors(results):
            print(json.dumps({"check": name, "tf32": tf32, **row}), flush=True)


def errors(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the errors of each comparison that a check made, over all of its runs."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        for comparison in result["details"].get("comparisons", []):
            found.setdefault((comparison["name"], comparison["dtype"]), []).append(comparison)
    rows: list[dict[str, Any]] = []
    for (name, dtype), comparisons in found.items():
        finite = [one["error"] for one in comparisons if one["error"] is not None]
        rows.append(
            {
                "name": name,
                "dtype": dtype,
                "tolerance": comparisons[0]["tolerance"],
                "runs": len(comparisons),
                "median": statistics.median(finite) if finite else None,
                "largest": max(finite, default=None),
                "message": "" if finite else "not finite",
            }
        )
    if not rows:
        error = results[0]["details"].get("error", {})
        message = results[0].get("message") or f"{error.get('class')}: {error.get('message', '')[:300]}"
        rows.append(
            {"name": "", "dtype": "", "tolerance": None, "runs": 0, "median": None, "message": message}
        )
    return rows


if __name__ == "__main__":
    main()
