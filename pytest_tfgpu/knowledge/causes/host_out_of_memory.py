"""The host's memory ran out, not the GPU's."""

from __future__ import annotations

from pytest_tfgpu.knowledge import machine, statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="host-out-of-memory",
    category="memory",
    summary="The host's memory (RAM, pinned or shared memory) ran out; the GPU's did not.",
    signatures=(
        Signature("root", (*texts.OOM, *texts.OOM_LOG), needs=("host-allocator",), weight=0.9),
        Signature("root", texts.OOM, needs=("allocated-on-cpu",), weight=0.7),
        Signature(
            "root",
            (
                "failed to alloc {#} bytes on host",
                "could not allocate pinned host memory",
                "Failed to allocate pinned host memory",
                "Failed to allocate memory to {serialize|parse} message of type",
            ),
            weight=0.8,
        ),
        Signature(
            "root", ("Unable to allocate {#}{.|} {KiB|MiB|GiB|TiB|PiB|EiB} for an array",), weight=0.85
        ),
        Signature("root", exceptions=("MemoryError",), unless=("fault-printed",), weight=0.8),
        Signature(
            "root", ("exceeds {#}% of {free system|system} memory",), also=("Killed", "SIGKILL"), weight=0.8
        ),
        Signature(
            "root",
            (
                "posix_fallocate failed",
                "Error while creating shared memory segment",
                "No space left on device{~}/dev/shm",
                "/dev/shm{~}No space left on device",
                "insufficient shared memory (shm)",
            ),
            weight=0.8,
        ),
        Signature("follows", ("exceeds {#}% of {free system|system} memory",), weight=0.19),
        Signature("root", ("exceeds {#}% of {free system|system} memory",), needs=("host-took-the-same",)),
        Signature(
            "root",
            (
                "oom-killer:",
                "invoked oom-killer",
                "oom_kill_process",
                "Out of memory: {Kill|Killed} process",
                "cgroup out of memory",
                "reason: OOMKilled",
                "after using all available RAM",
            ),
            weight=0.88,
        ),
        Signature(
            "follows",
            (
                "signal 9: SIGKILL",
                "<Signals.SIGKILL: 9>",
                "{code:|code|status|status:} 137",
                "was killed by signal: Killed",
            ),
            weight=0.5,
        ),
        Signature("follows", needs=("killed",), weight=0.5),
        Signature("root", ("Unable to allocate array with shape", "DefaultCPUAllocator"), weight=0.8),
        Signature(
            "root",
            (
                "[Errno 12] Cannot allocate memory",
                "LLVM ERROR: out of memory",
                "ptxas fatal : Memory allocation failure",
            ),
            weight=0.75,
        ),
        Signature("follows", ("std::bad_alloc",), unless=("fault-printed",), weight=0.55),
        Signature("follows", ("Cannot parse tensor from proto",), weight=0.4),
        Signature("confirms", needs=("host-allocator",), weight=0.75),
        Signature("excludes", needs=("fault-earlier",), weight=0.8),
        *statuses.signs("host-out-of-memory"),
        Signature("root", machine.HOST_ENDED, weight=0.85),
        Signature("follows", machine.HOST_PERHAPS, weight=0.5),
    ),
    rivals=("out-of-memory", "tensorflow-defect"),
    notes=("host-allocator", "allocated-on-cpu", "tensor-size"),
    help=(
        Help("Make what is built on the CPU smaller: the array, the batch, the shuffle or prefetch buffers."),
        Help(
            "Raise memory in WSL's .wslconfig: WSL pins half of its memory at most.", needs=("platform:wsl",)
        ),
        Help(
            "Start the container with more shared memory (--shm-size).",
            sure=False,
            needs=("platform:docker",),
        ),
        Help("Run fewer workers (-n): each holds its own copy of the data.", sure=False),
    ),
    examples=(
        Example(
            source="tf.zeros([10**6, 10**6]) with TensorFlow 2.21.0 on a CPU",
            exception="ResourceExhaustedError",
            message="{{function_node __wrapped__Fill_device_/job:localhost/replica:0/task:0/device:CPU:0}} OOM "
            "when allocating tensor with shape[1000000,1000000] and type float on "
            "/job:localhost/replica:0/task:0/device:CPU:0 by allocator mklcpu [Op:Fill] name: ",
            log=(
                "W0000 00:00:1795252098.763777 5639 bfc_allocator.cc:502] Allocator (mklcpu) ran out of memory "
                "trying to allocate 3.64TiB (rounded to 4000000000000)requested by op Fill",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/models/issues/7142",
            exception="ResourceExhaustedError",
            message="OOM when allocating tensor with shape[500,17,17,4032] and type float on "
            "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
            cause="out-of-memory",
        ),
    ),
    meaning="An allocation in the memory of the machine itself failed: ordinary RAM, pinned RAM that the GPU copies "
    "from, or the shared memory of a container. The class of the error is the same as for a full GPU.",
    appearance='ResourceExhaustedError "... device:CPU:0 by allocator cpu" or "mklcpu" (all versions). "failed to '
    'alloc N bytes on host", "could not allocate pinned host memory" in the log (to 2.16), "Failed to allocate '
    'pinned host memory" (2.21). NumPy\'s MemoryError "Unable to allocate ... for an array", also inside '
    "tf.py_function. A process that the operating system ends prints nothing but Killed.",
    distinction="The allocator's name tells the host (cpu, mklcpu, gpu_host_bfc, cuda_host_bfc) from the GPU "
    '(GPU_0_bfc). "Allocation of N exceeds 10% of free system memory" alone is a warning. A full disk wears the '
    'same class and ends in "No space left on device".',
    confirmation="Watch free memory (free -m, docker stats) while the test runs; dmesg names processes that the "
    "kernel ended for memory; ulimit -l limits pinned memory.",
    remedy="Build smaller arrays, use tf.data from files instead of one array in memory, smaller shuffle buffers, "
    "fewer parallel workers. In containers raise the memory limit and --shm-size; under WSL the memory in .wslconfig.",
    references=(
        "https://www.tensorflow.org/guide/data_performance",
        "https://learn.microsoft.com/windows/wsl/wsl-config",
    ),
)
