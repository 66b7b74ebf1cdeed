"""Readings of versions: what is found against what TensorFlow was built for, and what a GPU needs."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Function, Probe, Reading, version
from pytest_tfgpu.diagnosis.readings.tables import (
    CAPABILITY_OF_NAME,
    CUDA_OF_CAPABILITY,
    CUDA_OF_TENSORFLOW,
    CUDNN_OF_TENSORFLOW,
    Version,
    lookup,
)
from pytest_tfgpu.environment import known_pairs
from pytest_tfgpu.model import EvidenceLine

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

_CUDNN_LINE = Probe(
    r"Loaded runtime CuDNN library: (\d[\d.]{0,20})(?: \(compatibility version \d{1,6}\))? "
    r"but source was compiled with:? (\d[\d.]{0,20})",
    "loaded runtime cudnn",
    flags=re.IGNORECASE,
)
_CAPABILITY_LINE = Probe(r"compute ?capability:? (\d{1,2}\.\d)(?!\d)", "capability", flags=re.IGNORECASE)
_CUDART_LINE, _CUBLAS_LINE = (
    Probe(
        rf"opened (?:dynamic|CUDA) library lib{name}\.so\.(\d{{1,2}}(?:\.\d{{1,2}})?)|{name}64_(\d{{2,3}})",
        name,
        flags=re.IGNORECASE,
    )
    for name in ("cudart", "cublas")
)
"""Libraries whose names state CUDA's version, cuBLAS from 10.1 on the major one alone."""
_NAME_LINE = Probe(r"\bname: ([\w .()/-]{3,60}?)(?:,| major| computeCap|$)", "name: ", flags=re.MULTILINE)
_KERNEL = Probe(
    r"kernel reported version is: (\d{3}\.\d[\d.]{0,12})|Kernel Module {1,4}(\d{3}\.\d[\d.]{0,12})", "kernel"
)
_DSO = Probe(r"libcuda reported version is: (\d{3}\.\d[\d.]{0,12})", "libcuda reported")
_SMI_DRIVER = Probe(r"Driver Version: (\d{3}\.\d[\d.]{0,12})", "driver version:")

_COMPARE = {"<": operator.lt, "<=": operator.le, ">=": operator.ge, ">": operator.gt, "==": operator.eq}


def _dotted(value: Version) -> str:
    return ".".join(map(str, value))


def cudnn_pair(case: Case) -> tuple[Version, Version]:
    """Return the versions of cuDNN: loaded, compiled for; each empty where unknown."""
    found = _CUDNN_LINE.search(case)
    if found:
        return _cudnn_version(found[1]), _cudnn_version(found[2])
    built = case.facts.built_for
    compiled = version(built.cudnn if built else None) or lookup(CUDNN_OF_TENSORFLOW, tensorflow(case))
    return version(case.facts.cudnn), compiled


def _is_below(has: Version, needs: Version) -> bool:
    """Whether `has` is surely older: of `7` it isn't known whether it is older than 7.6."""
    known = min(len(has), len(needs))
    return has[:known] < needs[:known]


def _cudnn_version(value: str) -> Version:
    """Return 7.3.1 for `7.3.1` and for the packed `7301`."""
    parts = version(value)
    if len(parts) == 1 and parts[0] >= 90000:
        return (parts[0] // 10000, parts[0] // 100 % 100, parts[0] % 100)
    if len(parts) == 1 and parts[0] >= 1000:
        return (parts[0] // 1000, parts[0] // 100 % 10, parts[0] % 100)
    return parts


def _cudnn_unfit(case: Case, _: str) -> Reading | None:
    """Whether the cuDNN that is loaded doesn't fit the one that TensorFlow was compiled with."""
    loaded, compiled = cudnn_pair(case)
    if not loaded or not compiled:
        return NO
    printed = _CUDNN_LINE.quote(case)
    unfit = loaded[0] != compiled[0] or _is_below(loaded, compiled[:2])
    if not unfit and not printed:
        return NO
    sentence = f"cuDNN {_dotted(loaded)} is loaded, TensorFlow was compiled with {_dotted(compiled)}."
    facts = EvidenceLine(f"cuDNN {_dotted(loaded)} found, built for {_dotted(compiled)}", "facts")
    return Reading(sentence, printed or facts)


def _cudnn_fits(case: Case, _: str) -> Reading | None:
    """Whether the cuDNN found fits the one that TensorFlow was compiled with."""
    loaded, compiled = cudnn_pair(case)
    if not loaded or not compiled or _CUDNN_LINE.quote(case):
        return NO
    if loaded[0] != compiled[0] or loaded[:2] < compiled[:2]:
        return NO
    return Reading(
        f"cuDNN {_dotted(loaded)} is found here and fits: TensorFlow was compiled with {_dotted(compiled)}."
    )


def tensorflow(case: Case) -> Version:
    """Return TensorFlow's version, empty where unknown."""
    return version(case.facts.tensorflow)


def cuda_built(case: Case) -> Version:
    """Return the CUDA that TensorFlow was built for, by its own word or by its version."""
    built = case.facts.built_for
    return version(built.cuda if built else None) or lookup(CUDA_OF_TENSORFLOW, tensorflow(case))


def cuda_in_use(case: Case) -> Version:
    """Return the CUDA that is in use, as far as it can be told."""
    stated = _in_name(_CUDART_LINE, case) or version(case.facts.cuda) or _in_name(_CUBLAS_LINE, case)
    return stated or cuda_built(case)


def _in_name(library: Probe, case: Case) -> Version:
    """Return the version in a library's name, empty where none is printed: of DLLs 80 is 8.0, 101 is 10.1, 12 is 12."""
    found = library.search(case)
    if not found:
        return ()
    if found[1]:
        return version(found[1])
    digits = found[2]
    major = 2 if digits.startswith("1") else 1
    return tuple(int(part) for part in (digits[:major], digits[major:]) if part)


def capability(case: Case) -> Version:
    """Return the compute capability of the GPU: from the facts, the log, or the GPU's name."""
    gpus = case.facts.visible or case.facts.gpus
    for gpu in gpus:
        if gpu.compute_capability:
            return version(gpu.compute_capability)
    found = _CAPABILITY_LINE.search(case)
    if found:
        return version(found[1])
    names = [gpu.name or "" for gpu in gpus] + [found[1] for found in _NAME_LINE.finditer(case)]
    for name in names:
        for pattern, value in CAPABILITY_OF_NAME:
            if pattern.search(name):
                return value
    return ()


def _gpu_too_new(case: Case, _: str) -> Reading | None:
    """Whether the GPU is newer than the CUDA in use knows."""
    has = capability(case)
    needs, used = lookup(CUDA_OF_CAPABILITY, has), cuda_in_use(case)
    if not has or not _is_below(used, needs):
        return NO
    return Reading(
        f"Compute capability {_dotted(has)} needs CUDA {_dotted(needs)} or newer; CUDA {_dotted(used)} is in use."
    )


def _gpu_too_old(case: Case, _: str) -> Reading | None:
    """Whether the GPU is older than the oldest that this build serves."""
    has, built = capability(case), case.facts.built_for
    listed = (
        [
            version(re.sub(r"^(?:sm|compute)_(\d+)(\d)$", r"\1.\2", item))
            for item in built.compute_capabilities
        ]
        if built
        else []
    )
    oldest = min((item for item in listed if item), default=())
    if not has or not oldest or has >= oldest:
        return NO
    return Reading(
        f"The GPU has compute capability {_dotted(has)}; this TensorFlow serves {_dotted(oldest)} and newer."
    )


def driver(case: Case) -> Version:
    """Return the driver's version, empty where unknown."""
    found = _SMI_DRIVER.search(case) or _KERNEL.search(case)
    return version(case.facts.driver) or version((found[1] or found[found.lastindex or 1]) if found else None)


def _driver_needed(case: Case) -> Version:
    """Return the oldest driver that runs the CUDA in use, empty where that isn't known."""
    row = known_pairs.needed("driver", "cuda", cuda_in_use(case))
    return row.at_least if row else ()


def _driver_old(case: Case, _: str) -> Reading | None:
    """Whether the driver is older than the CUDA in use needs."""
    has, needs = driver(case), _driver_needed(case)
    if not _is_below(has, needs):
        return NO
    found, oldest = map(known_pairs.text, (has, needs))
    sentence = f"Driver {found} is installed; CUDA {_dotted(cuda_in_use(case))} needs {oldest} or newer."
    return Reading(sentence, EvidenceLine(f"driver {found}", "facts"))


def _driver_fits(case: Case, _: str) -> Reading | None:
    """Whether the driver is new enough for the CUDA in use."""
    has, needs = driver(case), _driver_needed(case)
    return Reading() if has and needs and has >= needs else NO


def _driver_halves(case: Case, _: str) -> Reading | None:
    """Whether Kernel module and user-space driver differ."""
    kernel, library = _KERNEL.search(case), _DSO.search(case)
    if not kernel or not library:
        return NO
    one, other = version(kernel[1] or kernel[2]), version(library[1])
    if one[:2] == other[:2]:
        return NO
    return Reading(f"The kernel module is {_dotted(one)}, libcuda is {_dotted(other)}.", _DSO.quote(case))


def _driver_halves_equal(case: Case, _: str) -> Reading | None:
    """Whether Kernel module and user-space driver are of one version."""
    if "kernel version seems to match dso" in case.lower:
        return Reading()
    kernel, library = _KERNEL.search(case), _DSO.search(case)
    if not kernel or not library:
        return NO
    return Reading() if version(kernel[1] or kernel[2])[:2] == version(library[1])[:2] else NO


def _cuda_unlike_build(case: Case, _: str) -> Reading | None:
    """Whether the CUDA found here isn't the one that TensorFlow was built for."""
    found, built = version(case.facts.cuda), cuda_built(case)
    if not found or not built:
        return NO
    same = found[0] == built[0] and (built[0] >= 11 or len(found) < 2 or found[:2] == built[:2])
    if same:
        return NO
    return Reading(
        f"CUDA {_dotted(found)} is found here; this TensorFlow was built for {_dotted(built)}.",
        EvidenceLine(f"CUDA {_dotted(found)} found, built for {_dotted(built)}", "facts"),
    )


def _tensorflow(case: Case, argument: str) -> Reading | None:
    """Whether TensorFlow's version compares as the argument says (`<2.11`)."""
    has = tensorflow(case)
    found = re.fullmatch(r"(<=|>=|==|<|>)(\d{1,4}(?:\.\d{1,4}){0,3})", argument)
    wanted = version(found[2]) if found else ()
    if not found or len(has) < len(wanted):
        return NO
    return Reading(f"TensorFlow is {_dotted(has)}.") if _COMPARE[found[1]](has[: len(wanted)], wanted) else NO


def _windows_without_cuda(case: Case, _: str) -> Reading | None:
    """Whether this is native Windows with a TensorFlow that has no CUDA there (2.11 and newer)."""
    if case.facts.platform != "windows" or tensorflow(case)[:2] < (2, 11):
        return NO
    return Reading(
        "From 2.11 on TensorFlow has no GPU support on native Windows.",
        EvidenceLine(f"TensorFlow {_dotted(tensorflow(case))} on Windows", "facts"),
    )


def _driver_bad(case: Case, _: str) -> Reading | None:
    """Whether the driver's version is known for a defect: the JIT of those before 396.20 miscompiles."""
    has = driver(case)
    return Reading(f"Driver {_dotted(has)} is known to miscompile.") if _is_below(has, (396, 20)) else NO


READINGS: dict[str, Function] = {
    "cudnn-unfit": _cudnn_unfit,
    "cudnn-fits": _cudnn_fits,
    "gpu-newer-than-cuda": _gpu_too_new,
    "gpu-older-than-build": _gpu_too_old,
    "driver-too-old-for-cuda": _driver_old,
    "driver-fits-cuda": _driver_fits,
    "driver-halves-differ": _driver_halves,
    "driver-halves-agree": _driver_halves_equal,
    "cuda-unlike-build": _cuda_unlike_build,
    "windows-without-cuda": _windows_without_cuda,
    "driver-known-bad": _driver_bad,
    "tensorflow": _tensorflow,
}
