"""Failures that are made for real, what TensorFlow says of each, what the plugin says, and whether that is right."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.real_gpu.place import CannotHide, Place, Session

IMPORT = "import numpy as np, tensorflow as tf\n\n"
ADD = "(tf.constant([1.0]) + 1.0).numpy()"
MATMUL = "tf.matmul(tf.ones((256, 256)), tf.ones((256, 256))).numpy()"
CONV = "tf.nn.conv2d(tf.ones((2, 8, 8, 4)), tf.ones((3, 3, 4, 5)), 1, 'SAME').numpy()"
HARD = "tf.config.set_soft_device_placement(False)\n"
DETERMINISTIC = "image = tf.ones((1, 4, 4, 3))\ntf.config.experimental.enable_op_determinism()\n"
PINNED = HARD + f"with tf.device('/GPU:0'):\n    {ADD}"

CUDA = """
import ctypes

cuda = ctypes.CDLL("libcuda.so.1")


def call(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, f"{name}: {code}"


def use_gpu():
    device, context = ctypes.c_int(), ctypes.c_void_p()
    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)


def free_mib():
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    return free.value >> 20
"""
"""What the programs below need of the driver."""

HOLD = (
    CUDA
    + """
import sys

use_gpu()
kept, size = [], 256
while size:
    address = ctypes.c_uint64()
    if free_mib() - size < int(sys.argv[1]) or cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size << 20)):
        size //= 2
    else:
        kept.append(address)
print("held", flush=True)
sys.stdin.read()
"""
)
"""A process that holds all memory of the first GPU but so many MiB, until its standard input ends."""

FILL = """
use_gpu()
gpu = tf.config.list_physical_devices("GPU")[0]
limit = tf.config.LogicalDeviceConfiguration(memory_limit=free_mib() - 16)
tf.config.set_logical_device_configuration(gpu, [limit])
"""
"""Let TensorFlow take all memory that is free but 16 MiB, and leave as much to CUDA's libraries."""

FAULT = (
    CUDA
    + '''
PTX = b"""
.version 6.0
.target sm_70
.address_size 64
.visible .entry write() {
    .reg .b64 %address;
    .reg .b32 %value;
    mov.u64 %address, 64;
    mov.u32 %value, 1;
    st.global.u32 [%address], %value;
    ret;
}
"""


def fault():
    use_gpu()
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    call("cuModuleLoadData", ctypes.byref(module), PTX)
    call("cuModuleGetFunction", ctypes.byref(function), module, b"write")
    call("cuLaunchKernel", function, 1, 1, 1, 1, 1, 1, 0, None, None, None)
'''
)
"""A kernel that writes to an address which is not the GPU's."""

LIBRARIES = (
    "libcudart.",
    "libcublas.",
    "libcublasLt.",
    "libcudnn.",
    "libcufft.",
    "libcusolver.",
    "libcusparse.",
)
"""Starts of the names of the libraries that are hidden in turn."""
PARTS_OF_CUDNN = ("graph", "ops", "cnn", "engines_precompiled", "engines_runtime_compiled", "heuristic")


@dataclass(frozen=True)
class Failure:
    """A failure, how it is made, and what it is."""

    name: str
    tests: tuple[str, ...]
    """The bodies of the tests, which run in one process in this order."""
    causes: tuple[tuple[str, ...], ...]
    """For each test the causes that are right, likeliest first; none where it should pass."""
    start: str = ""
    """What stands above the tests in their module."""
    variables: Mapping[str, str] = field(default_factory=dict)
    without: str = ""
    """What is hidden: a library as TensorFlow opens it, or a tool."""
    left_mib: int | None = None
    """What another process leaves of the first GPU's memory, in MiB, if one holds the rest."""
    preflight: bool = False
    """Whether a preflight comes first, which then meets the failure in place of the tests."""
    alone: bool = False
    """Whether it needs the whole memory of the GPU."""

    @property
    def module(self) -> str:
        """The text of the test module."""
        tests = []
        for number, body in enumerate(self.tests):
            lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
            tests.append(f"def test_{number}():\n{lines}")
        return IMPORT + self.start + "\n\n" + "\n\n".join(tests)


def one(name: str, test: str, *causes: str, **more: Any) -> Failure:
    """Return a failure of one test."""
    return Failure(name, (test,), (causes,), **more)


def failures(total_mib: int, libraries: tuple[str, ...]) -> list[Failure]:
    """Return the failures for a GPU of this size and a TensorFlow that opens these libraries."""
    held = "memory-held-by-other-process"
    rows = [
        one("a tensor larger than the GPU", f"tf.zeros([{2 * total_mib}, 1024, 256])", "out-of-memory"),
        one(
            "an array larger than TensorFlow's limit",
            "gpu = tf.config.list_physical_devices('GPU')[0]\n"
            "limit = tf.config.LogicalDeviceConfiguration(memory_limit=256)\n"
            "tf.config.set_logical_device_configuration(gpu, [limit])\n"
            "tf.constant(np.zeros((512, 2**18), 'f'))",
            "out-of-memory",
            alone=True,
        ),
        one(
            "many tensors that are kept",
            "kept = [tf.zeros([1024, 1024, 256]) for _ in range(10**4)]",
            "out-of-memory",
            "memory-leak",
            alone=True,
        ),
        one("a process leaves 50 MiB", ADD, held, left_mib=50, alone=True),
        one("a process leaves 1 GiB", "tf.zeros([2048, 1024, 256])", held, left_mib=1024, alone=True),
        one("a process leaves 50 MiB, preflight", ADD, held, left_mib=50, preflight=True, alone=True),
        one("TensorFlow leaves cuBLAS nothing", FILL + MATMUL, "memory-preallocated", start=CUDA, alone=True),
        one("TensorFlow leaves cuDNN nothing", FILL + CONV, "memory-preallocated", start=CUDA, alone=True),
        one(
            "CUDA_VISIBLE_DEVICES is empty", PINNED, "gpu-not-visible", variables={"CUDA_VISIBLE_DEVICES": ""}
        ),
        one(
            "CUDA_VISIBLE_DEVICES names no GPU of the machine",
            PINNED,
            "gpu-not-visible",
            variables={"CUDA_VISIBLE_DEVICES": "97"},
        ),
        one("/GPU:7", HARD + f"with tf.device('/GPU:7'):\n    {ADD}", "invalid-device"),
        one(
            "an operation without a GPU kernel",
            HARD + "with tf.device('/GPU:0'):\n    tf.strings.length(tf.constant(['a']))",
            "op-unsupported-on-device",
            "invalid-device",
        ),
        one(
            "an operation without a GPU kernel, in a graph",
            HARD + "@tf.function(autograph=False)\ndef length():\n    with tf.device('/GPU:0'):\n"
            "        return tf.strings.length(tf.constant(['a']))\nlength()",
            "op-unsupported-on-device",
        ),
        one(
            "determinism: a histogram",
            DETERMINISTIC + "tf.raw_ops.DenseBincount(input=[1, 2], size=4, weights=[], binary_output=False)",
            "determinism-unsupported",
        ),
        one(
            "determinism: contrast",
            DETERMINISTIC + "tf.raw_ops.AdjustContrastv2(images=image, contrast_factor=2.0)",
            "determinism-unsupported",
        ),
        one(
            "memory growth, too late",
            ADD + "\nfor gpu in tf.config.list_physical_devices('GPU'):\n"
            "    tf.config.experimental.set_memory_growth(gpu, True)",
            "gpu-configured-too-late",
        ),
        one(
            "a fork of a process that uses the GPU",
            "add()\nwith ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork')) as pool:\n"
            "    assert pool.submit(add).result(60) == [2.0]",
            "cuda-after-fork",
            start="import multiprocessing\nfrom concurrent.futures import ProcessPoolExecutor\n\n\n"
            f"def add():\n    return {ADD}",
        ),
        one(
            "XLA without ptxas",
            "tf.function(lambda a: a + 1.0, jit_compile=True)(tf.constant([1.0])).numpy()",
            "cuda-toolkit-not-found",
            without="ptxas",
        ),
        Failure(
            "an illegal address, and what follows",
            (f"{ADD}\nfault()\n{ADD}", ADD),
            (("gpu-fault",), ("earlier-gpu-fault", "gpu-fault")),
            start=FAULT,
        ),
        one("an index out of range", "assert tf.gather(tf.constant([5.0, 6.0]), [1, 7]).numpy()[0] == 6.0"),
    ]
    for start in LIBRARIES:
        cause = "cudnn-missing" if start == "libcudnn." else "cuda-library-missing"
        for name in (library for library in libraries if library.startswith(start)):
            rows.append(one(f"{name} hidden", PINNED, cause, without=name))
            rows.append(one(f"{name} hidden, preflight", PINNED, cause, without=name, preflight=True))
            if cause == "cudnn-missing":
                parts = [name.replace("libcudnn", f"libcudnn_{part}") for part in PARTS_OF_CUDNN]
                rows += [
                    one(f"{part} hidden, preflight", CONV, cause, without=part, preflight=True)
                    for part in parts
                ]
    return rows


# ----------------------------------------------------------------------------------------------------- playing


def play(place: Place, failure: Failure) -> dict[str, Any]:
    """Make a failure, and return what was printed, what was raised, what was said, and whether it was right."""
    told: dict[str, Any] = {"failure": failure.name, "module": failure.module}
    try:
        here = place.without(failure.without) if failure.without else place
    except CannotHide as reason:
        return {**told, "not_made": str(reason)}
    if failure.left_mib is None:
        session = run(here.having(**failure.variables), failure)
    else:
        with holding(place, failure.left_mib):
            session = run(here.having(**failure.variables), failure)
    return {**told, **judge(failure, session)}


@contextmanager
def holding(place: Place, left_mib: int) -> Iterator[int]:
    """Let another process hold all memory of the first GPU but so many MiB; yield its number."""
    program = place.folder / "hold.py"
    program.write_text(HOLD, "utf-8")
    other = place.start([sys.executable, str(program), str(left_mib)])
    try:
        other.wait_for("held", 60)
        yield other.process.pid
    finally:
        other.finish(10)


def run(place: Place, failure: Failure) -> Session:
    """Run the session in which the failure is met."""
    asked = ("--tfgpu-preflight", "--tfgpu-require=1") if failure.preflight else ()
    return place.session({"test_it.py": failure.module}, *asked, "-o", "junit_logging=system-err")


def judge(failure: Failure, session: Session) -> dict[str, Any]:
    """Compare what was said with what it should have been, for the preflight or for each test."""
    report = session.report or {}
    told: dict[str, Any] = {
        "exit_status": session.exit_status,
        "seconds": round(session.seconds, 1),
        "ended": session.ended,
        "output": session.text[-20_000:],
    }
    if failure.preflight:
        preflight = report.get("preflight", {})
        said = {"raised": preflight.get("reason", ""), "cause": preflight.get("cause")}
        right = verdict(failure.causes[0], said["cause"], (), failed=preflight.get("verdict") != "ok")
        return {**told, "results": [{**said, "verdict": preflight.get("verdict"), "judged": right}]}
    results = []
    for number, causes in enumerate(failure.causes):
        name = f"test_{number}"
        found = next((d for d in report.get("diagnoses", []) if d["nodeid"].endswith(f"::{name}")), {})
        outcome = session.outcomes.get(name, "the process ended")
        results.append(
            {
                "outcome": outcome,
                "raised": session.failures.get(name, ""),
                "judged": verdict(
                    causes, found.get("cause"), found.get("alternatives", ()), failed=outcome != "passed"
                ),
                "diagnosis": found or None,
            }
        )
    return {**told, "results": results}


def verdict(right: tuple[str, ...], named: str | None, others: Any, *, failed: bool) -> str:
    """Say in a word what a diagnosis was worth."""
    if not failed:
        return "right" if not right else "did not fail"
    if named is None:
        return "right" if not right else "silent"
    if named in right:
        return "right"
    return "among the others" if set(others) & set(right) else "wrong"


def lines(told: list[dict[str, Any]]) -> list[str]:
    """Return the section as text."""
    text, counts = [], dict[str, int]()
    for row in told:
        if "not_made" in row:
            text.append(f"{row['failure']}: not made: {row['not_made']}")
            continue
        for number, result in enumerate(row["results"]):
            which = f", test {number}" if len(row["results"]) > 1 else ""
            counts[result["judged"]] = counts.get(result["judged"], 0) + 1
            text.append(f"{row['failure']}{which}: {result['judged']}")
            said = result.get("diagnosis") or {}
            cause = said.get("cause") or result.get("cause")
            if cause:
                confidence = f" ({said['confidence']})" if said else ""
                text.append(
                    f"    said: {cause}{confidence} {', '.join(said.get('alternatives', ()))}".rstrip()
                )
                text += [f"    {line['origin']}: {line['text'][:300]}" for line in said.get("evidence", ())]
            raised = [line for line in result["raised"].splitlines() if line.strip()]
            text += [f"    raised: {line[:300]}" for line in raised[:3]]
            if result["judged"] not in ("right", "did not fail"):
                text += [f"    | {line[:200]}" for line in row["output"].splitlines()[-30:]]
    return [", ".join(f"{count} {word}" for word, count in counts.items()), *text]
