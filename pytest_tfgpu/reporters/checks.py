"""What a preflight has to say: its verdict, its table and its faults, the same for every reporter."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_tfgpu.model import CheckResult, Diagnosis, GpuChecks, Preflight
from pytest_tfgpu.reporters.text import clean, count, duration


@dataclass(frozen=True)
class Fault:
    """A check that went wrong, on one device or, in the same way, on several."""

    check: str
    devices: tuple[str, ...]
    message: str
    diagnosis: Diagnosis | None

    @property
    def subject(self) -> str:
        """`conv2d on GPU 0, GPU 1`."""
        return clean(f"{self.check} on {', '.join(self.devices)}")


def verdict(preflight: Preflight) -> str:
    """Return the verdict in one sentence, `GPU ok: 6 checks passed on 1 GPU in 4.10 s`; "" if unasked."""
    reason = clean(preflight.reason or "")
    if preflight.verdict == "not-asked":
        return ""
    title = f"{preflight.device.upper()} {preflight.verdict}"
    if preflight.verdict != "ok":
        cause = f" [{clean(preflight.cause)}]" if preflight.cause else ""
        return (f"{title}: {reason}" if reason else title) + cause
    checks = [check for gpu in preflight.gpus for check in gpu.checks]
    passed = sum(check.outcome == "passed" for check in checks)
    total = count(passed, "check") if passed == len(checks) else f"{passed} of {count(len(checks), 'check')}"
    where = "" if preflight.device == "cpu" else f" on {count(len(preflight.gpus), 'GPU')}"
    took = f" in {duration(preflight.seconds)}" if duration(preflight.seconds) else ""
    return f"{title}: {total} passed{where}{took}" + (f". {reason}" if reason else "")


def columns(preflight: Preflight) -> tuple[str, str, str, str, str]:
    """Return the head of the table of checks."""
    device = "GPU" if preflight.device == "gpu" else "device"
    return (device, "check", "outcome", "time", "error / tolerance")


def rows(preflight: Preflight) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table of checks; a device is named in its first row only."""
    table = []
    for gpu in preflight.gpus:
        name = _device(gpu)
        for check in gpu.checks:
            outcome = check.outcome.replace("-", " ")
            table.append((name, clean(check.name), outcome, duration(check.seconds), _error(check)))
            name = ""
    return table


def slowest(preflight: Preflight, most: int = 3) -> list[str]:
    """Return the checks that took longest, `conv2d 4.20 s`; with several devices `conv2d on GPU 1 4.20 s`."""
    several = len(preflight.gpus) > 1
    timed = [
        (check.seconds, f"{check.name} on {_short(gpu)}" if several else check.name)
        for gpu in preflight.gpus
        for check in gpu.checks
        if duration(check.seconds) and check.seconds is not None
    ]
    timed.sort(key=lambda entry: -entry[0])
    return [f"{clean(name)} {duration(seconds)}" for seconds, name in timed[:most]]


def faults(preflight: Preflight) -> list[Fault]:
    """Return what went wrong; the same fault on several devices is one."""
    found: dict[tuple[str, str], tuple[list[str], CheckResult]] = {}
    for gpu in preflight.gpus:
        for check in gpu.checks:
            message = named(check.diagnosis) if check.diagnosis else check.message
            if check.outcome not in ("passed", "not-run") and message:
                devices, _ = found.setdefault((check.name, message), ([], check))
                devices.append(_short(gpu))
    return [
        Fault(name, tuple(devices), clean(message), check.diagnosis)
        for (name, message), (devices, check) in found.items()
    ]


def named(diagnosis: Diagnosis) -> str:
    """Return the cause in words, and its id; one that isn't sure is said to be possible."""
    doubt = "possible cause: " if diagnosis.confidence == "possible" else ""
    return f"{doubt}{diagnosis.summary} [{diagnosis.cause}]"


def _device(gpu: GpuChecks) -> str:
    parts = ("" if gpu.index is None else str(gpu.index), gpu.name or "")
    return clean(" ".join(filter(None, parts)), longest=200) or "GPU"


def _short(gpu: GpuChecks) -> str:
    return _device(gpu) if gpu.index is None else f"GPU {gpu.index}"


def _error(check: CheckResult) -> str:
    """Return the largest error against its tolerance, `1.2e-07 / 1.0e-05`; "" where nothing was compared."""
    if check.max_error is None:
        return ""
    numbers = (check.max_error, check.tolerance)
    return " / ".join(f"{number:.1e}" if number else "0" for number in numbers if number is not None)
