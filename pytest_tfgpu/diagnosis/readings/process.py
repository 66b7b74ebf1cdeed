"""Readings of the process: what failed in it before, what else runs, whose code raised."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Function, Probe, Reading
from pytest_tfgpu.frameworks import is_framework
from pytest_tfgpu.model import EvidenceLine

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

_FAULT = (
    "illegal_address",
    "illegaladdress",
    "illegal memory access",
    "cuda_error_launch_failed",
    "unspecified launch failure",
    "launchfailure",
    "misaligned_address",
    "misaligned address",
    "illegal_instruction",
    "unexpected event status",
    "device-side assert",
)
_EVENT, _ENDING = "unexpected event status", "cuda_error_deinitialized"
"""An event has no status any more where the process is ending: that alone is no fault."""
_FAULT_WORDS = frozenset(
    (
        b"illegal",
        b"launch",
        b"misaligned",
        b"unexpected",
        b"assert",
        b"cudaerrorillegaladdress",
        b"cudaerrorlaunchfailure",
    )
)
"""Words of which one is in every text that tells of a fault."""
_COUNTER = re.compile(r"[A-Za-z][\w.]{0,80}_(\d{3,7})(?![\w.])")
_RETRACE = Probe(
    r"triggered tf\.function retracing|Tracing is expensive", "retracing", "tracing is expensive"
)
_SMI_PROCESS = Probe(
    r"\|\s{1,6}\d{1,3}\s{1,8}(?:N/A {1,4}N/A {1,4})?\d{1,8}\s{1,6}[CG+]{1,3}\s{1,6}([^\s|]{1,80})[^|\n]{0,80}"
    r"\s(\d{1,7})MiB \|",
    "mib |",
)
_TORCH = Probe(
    r"\btorch[._]|PyTorch|cuda\.OutOfMemoryError|CUDA out of memory\. Tried|"
    r"CUDA kernel errors might be asynchronously|TORCH_USE_CUDA_DSA|"
    r"cuDNN error: CUDNN_STATUS_|CUDA error: CU\w{4,7}_STATUS_\w{1,40} when calling",
    "torch",
    "cudnn error: cudnn_status_",
    "when calling `cu",
    "cuda out of memory",
    "cuda kernel errors might",
)
_JAX = Probe(
    r"\bjax\b|jaxlib|XlaRuntimeError|external/org_tensorflow|\bPJRT|xla_bridge",
    "jax",
    "xlaruntimeerror",
    "org_tensorflow",
    "pjrt",
    "xla_bridge",
)
_OTHERS = re.compile(
    r"(?:^| )(?:cupy|cupy_backends|numba\.cuda|mxnet|pycuda|cudf|rmm|paddle|onnxruntime|cuml)[._]"
)
"""Packages whose own exceptions tell of the GPU."""
_PATH_ALONE = re.compile(
    r"(?:[\w.]{1,120}: )?(?:[A-Za-z]:)?\.{0,2}(?:[/\\][\w.@ ~+-]{1,100}){2,20}\s{0,4}(?:\n\s{0,8}\[\[|$)"
)
_KILLED = Probe(
    r"^(?:[^\n:]{0,80}:(?: line)? {1,4}\d{1,6}: {1,8})?(?:(?:\d{1,8} )?Killed|\d{1,8} killed)(?: {2,40}[^\n]{1,400})?$|"
    r"(?:\] {0,2}|\] - [^\n]{1,400}\d)Killed$",
    "killed",
    flags=re.MULTILINE,
)
_FRAME = re.compile(r'^[ \t]{0,40}File "([^"\n]{1,400})", line \d{1,7}, in [^\n]{1,200}$', re.MULTILINE)
_OF_A_FRAMEWORK = re.compile(r"[/\\](?:tensorflow\w{0,40}|keras|tf_keras)[/\\]")
_MANY = 500


def _other_processes(case: Case, _: str) -> Reading | None:
    """Whether another process holds GPU memory."""
    total = max((gpu.memory_total_mib or 0 for gpu in case.facts.gpus), default=0)
    floor = max(256, total // 20)
    for process in case.facts.gpu_processes:
        if process.memory_mib is None or process.memory_mib >= floor:
            held = f" holds {process.memory_mib} MiB" if process.memory_mib else " uses the GPU"
            text = f"{process.name or 'process'}{f' ({process.pid})' if process.pid else ''}{held}"
            return Reading(f"Another process uses the GPU: {text}.", EvidenceLine(text, "facts"))
    rows = [found for found in _SMI_PROCESS.finditer(case) if int(found[2]) >= floor]
    if len(rows) > 1:
        return Reading("More than one process uses the GPU.", _SMI_PROCESS.quote(case))
    return NO


def _no_other_processes(case: Case, _: str) -> Reading | None:
    """Whether NVML answered and named no other process."""
    asked = any(gpu.memory_free_mib is not None for gpu in case.facts.gpus)
    return Reading() if asked and not case.facts.gpu_processes else NO


def _fault_earlier(case: Case, _: str) -> Reading | None:
    """Whether a GPU fault was seen earlier in this process."""
    if any(cause in ("gpu-fault", "earlier-gpu-fault") for cause in case.evidence.earlier):
        return Reading("An earlier test of this process ended with a GPU fault.")
    return NO


def _fault_printed(case: Case, _: str) -> Reading | None:
    """Whether a GPU fault stands in the message or the log."""
    if _FAULT_WORDS.isdisjoint(case.raw_words):
        return NO
    found = [position for sign in _FAULT if (position := case.lower.find(sign)) >= 0]
    if _ENDING in case.lower and len(found) == 1 and case.lower.startswith(_EVENT, found[0]):
        return NO
    return Reading("A GPU fault was printed.", case.quote_raw(min(found))) if found else NO


def _memory_ran_out_earlier(case: Case, _: str) -> Reading | None:
    """Whether an earlier failure of this process ran out of GPU memory."""
    earlier = {"out-of-memory", "memory-leak", "memory-fragmentation"}
    return (
        Reading("Memory had run out in this process before.") if earlier & set(case.evidence.earlier) else NO
    )


def _many_graphs(case: Case, _: str) -> Reading | None:
    """Whether Node names count so high that many models were built in this process."""
    names = [int(found[1]) for found in _COUNTER.finditer(" ".join(_node_texts(case.evidence.message)))]
    if names and max(names) >= _MANY:
        return Reading(f"Node names count up to {max(names)}: many graphs were built in this process.")
    quote = _RETRACE.quote(case)
    return Reading("Functions were traced again and again.", quote) if quote else NO


def _node_texts(message: str) -> list[str]:
    """Return the names of nodes in the message, without the copies between devices that count on their own."""
    names = re.findall(r"\[\[(?:Node: |node |\{\{node )([\w./:-]{1,200})", message)
    inputs = re.findall(r"\]\(([\w./:, -]{1,300})\)\]\]", message)
    return [name for name in (*names, *inputs) if not re.search(r"/_\d+$|^_|_Recv|_Send", name)]


def _other_framework(case: Case, _: str) -> Reading | None:
    """Whether PyTorch, JAX or another framework raised it."""
    classes = " ".join(link.type for link in case.evidence.chain)
    modules = {frame.module.partition(".")[0] for frame in case.evidence.frames}
    if "torch" in modules or _TORCH.pattern.search(classes) or _TORCH.search(case):
        return Reading("It comes from PyTorch.")
    if modules & {"jax", "jaxlib"} or _JAX.pattern.search(classes) or _JAX.search(case):
        return Reading("It comes from JAX.")
    if _OTHERS.search(classes):
        return Reading("It comes from another framework than TensorFlow.")
    return NO


def _called_by_framework(case: Case, argument: str) -> Reading | None:
    """Whether TensorFlow or Keras itself called into the package of the argument (`numpy`), not the user's code."""
    modules = [frame.module for frame in case.evidence.frames]
    inner = [position for position, module in enumerate(modules) if module.partition(".")[0] == argument]
    if not inner or not inner[-1]:
        return NO
    entry = next(position for position in reversed(inner) if position - 1 not in inner)
    called = entry > 0 and is_framework(modules[entry - 1])
    return Reading(f"TensorFlow's own code called {argument}.") if called else NO


def _passes_through(case: Case, argument: str) -> Reading | None:
    """Whether a frame lies in a module that begins with one of the argument's names."""
    wanted = tuple(argument.split("/"))
    return Reading() if any(frame.module.startswith(wanted) for frame in case.evidence.frames) else NO


def _growth(case: Case, _: str) -> Reading | None:
    """Whether memory growth is on."""
    value = case.facts.environment.get("TF_FORCE_GPU_ALLOW_GROWTH", "")
    return Reading("Memory growth is on.") if case.facts.memory_growth or value.lower() == "true" else NO


def _variable(case: Case, argument: str) -> Reading | None:
    """Whether an environment variable is set, to one of the values after `=` where there are some."""
    name, _, values = argument.partition("=")
    value = case.facts.environment.get(name)
    if value is None or (values and value.strip().lower() not in values.split("/")):
        return NO
    return Reading(f"{name} is {value}.", EvidenceLine(f"{name}={value}", "facts"))


def _path_alone(case: Case, _: str) -> Reading | None:
    """Whether the message is the path of a file and little else, as TensorFlow 1.x reports refused files."""
    found = _PATH_ALONE.match(case.evidence.message)
    return Reading() if found and "alloc" not in case.lower else NO


def _killed(case: Case, _: str) -> Reading | None:
    """Whether the shell reports that the process was killed: nothing but the system, or a person, does that."""
    quote = _KILLED.quote(case)
    return Reading("The process was ended from outside.", quote) if quote else NO


def _python_inside(case: Case, _: str) -> Reading | None:
    """Whether the message holds the traceback of Python code that TensorFlow ran; the last frame of the user's."""
    message = case.evidence.message
    if "script_ops.py" not in message or "Traceback (most recent call last)" not in message:
        return NO
    frames = [found for found in _FRAME.finditer(message) if not _OF_A_FRAMEWORK.search(found[1])]
    return Reading(quote=case.quote_raw(frames[-1].start())) if frames else Reading()


def _text(case: Case, argument: str) -> Reading | None:
    """Whether the text of the argument stands in the message or the log, as it is written."""
    return Reading() if argument in case.raw else NO


def _has_exception(case: Case, argument: str) -> Reading | None:
    """Whether an exception or a message is there, not only log lines; with an argument, one without that text."""
    texts = [link.message for link in case.evidence.chain if link.message.strip()]
    return Reading() if any(not argument or argument not in text for text in texts) else NO


READINGS: dict[str, Function] = {
    "other-processes": _other_processes,
    "no-other-processes": _no_other_processes,
    "fault-earlier": _fault_earlier,
    "fault-printed": _fault_printed,
    "memory-ran-out-earlier": _memory_ran_out_earlier,
    "many-graphs": _many_graphs,
    "other-framework": _other_framework,
    "called-by-framework": _called_by_framework,
    "passes-through": _passes_through,
    "memory-growth": _growth,
    "variable": _variable,
    "message": _has_exception,
    "path-alone": _path_alone,
    "killed": _killed,
    "python-inside": _python_inside,
    "text": _text,
}
