"""The facts that the doctor finds, beside those of `nvidia-smi`."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.real_gpu.failures import holding
from benchmarks.real_gpu.place import Place

FIELDS = {
    "index": "index",
    "name": "name",
    "uuid": "uuid",
    "compute_cap": "compute_capability",
    "memory.total": "memory_total_mib",
    "memory.free": "memory_free_mib",
    "compute_mode": "compute_mode",
    "pci.bus_id": "pci",
    "temperature.gpu": "health.temperature",
    "ecc.errors.uncorrected.volatile.total": "health.ecc_uncorrected",
}
"""What `nvidia-smi --query-gpu` is asked, and where the doctor has the same."""


def nvidia_smi(place: Place, *arguments: str) -> str | None:
    """Return what `nvidia-smi` prints; None where it isn't there or fails."""
    try:
        done = place.start(["nvidia-smi", *arguments]).finish(60)
    except FileNotFoundError:
        return None
    return done.stdout if done.exit_status == 0 else None


def rows(text: str | None) -> list[list[str]]:
    """Return the cells of what `--format=csv,noheader,nounits` prints."""
    return [[cell.strip() for cell in line.split(",")] for line in (text or "").splitlines() if line.strip()]


def beside(place: Place) -> dict[str, Any]:
    """Ask both, twice: on the idle GPU, and while a process holds all memory of the first one but 4 GiB."""
    told = {"idle": ask(place)}
    with holding(place, 4096) as pid:
        told["held"] = {"pid": pid, **ask(place)}
    return told


def ask(place: Place) -> dict[str, Any]:
    """Return what the doctor says and what `nvidia-smi` says, value by value."""
    doctor = place.doctor()
    facts = doctor["facts"]
    table = rows(nvidia_smi(place, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"))
    head = nvidia_smi(place) or ""
    values = [
        {
            "what": "driver",
            "doctor": facts.get("driver"),
            "nvidia-smi": first(r"Driver Version: ([\d.]+)", head),
        },
        {
            "what": "CUDA",
            "doctor": facts.get("driver_cuda"),
            "nvidia-smi": first(r"CUDA[^:]*: ([\d.]+)", head),
        },
    ]
    for gpu in facts.get("gpus") or []:
        theirs: list[str] = next((cells for cells in table if cells[0] == str(gpu["index"])), [])
        for number, (name, ours) in enumerate(FIELDS.items()):
            value: Any = gpu
            for key in ours.split("."):
                value = (value or {}).get(key)
            said = theirs[number] if theirs else None
            values.append({"what": f"GPU {gpu['index']}: {name}", "doctor": value, "nvidia-smi": said})
    processes = nvidia_smi(
        place, "--query-compute-apps=pid,process_name,used_memory", "--format=csv,noheader,nounits"
    )
    values.append({"what": "processes", "doctor": facts.get("gpu_processes"), "nvidia-smi": rows(processes)})
    return {"values": values, "findings": doctor["findings"], "facts": facts, "nvidia-smi": head}


def first(pattern: str, text: str) -> str | None:
    """Return what the group of a pattern matches first."""
    match = re.search(pattern, text)
    return match[1] if match else None


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section as text."""
    text = []
    for name, answers in told.items():
        text.append(f"{name}:")
        width = max(len(row["what"]) for row in answers["values"])
        for row in answers["values"]:
            same = (
                ""
                if str(row["doctor"]).lower() == str(row["nvidia-smi"]).lower()
                else "   differs in writing"
            )
            text.append(f"  {row['what']:{width}}  {row['doctor']}  |  {row['nvidia-smi']}{same}")
        text += [f"  {found['severity']}: {found['summary']}" for found in answers["findings"]]
    return text
