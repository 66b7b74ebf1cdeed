"""A forked process uses CUDA, which its parent had initialised."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

_REFUSED = (
    "CUDA_ERROR_NOT_INITIALIZED",
    "cudaErrorInitializationError",
    "Failed to get device properties, error code: 3",
    "{cudaGetDevice()|cudaSetDevice()|implicit initialization}{~}failed. Status: initialization error",
    "CUDA error (3): initialization error",
)

CAUSE = Cause(
    id="cuda-after-fork",
    category="code",
    summary="A forked process uses the GPU, which its parent process had initialised.",
    signatures=(
        Signature("root", _REFUSED, unless=("text:call to cuInit",), weight=0.75),
        Signature("follows", _REFUSED, weight=0.45),
        Signature("root", ("Cannot re-initialize CUDA in forked subprocess",), weight=0.92),
        Signature(
            "root",
            _REFUSED,
            also=("popen_fork", "ForkPoolWorker", "ForkProcess", "use_multiprocessing=True", "os.fork()"),
            weight=0.85,
        ),
    ),
    rivals=("driver-unhealthy",),
    help=(
        Help(
            'Start processes that use the GPU with `multiprocessing.get_context("spawn")`, or fork before anything '
            "uses it."
        ),
        Help(
            "Keep TensorFlow's operations out of data generators that run in processes (`use_multiprocessing=True`): "
            "use NumPy there, threads, or tf.data.",
            sure=False,
        ),
        Help(
            "Run the tests without pytest-forked (`--forked`): xdist's workers are new processes.", sure=False
        ),
    ),
    examples=(
        Example(
            source="an operation in a fork of a process that had used the GPU, TensorFlow 2.21.0, a simulated driver",
            exception="InternalError",
            message="Failed copying input tensor from /job:localhost/replica:0/task:0/device:CPU:0 to "
            "/job:localhost/replica:0/task:0/device:GPU:0 in order to run _EagerConst: CUDA error: Error recording "
            "CUDA event: CUDA_ERROR_NOT_INITIALIZED: initialization error",
        ),
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/57877",
            log=(
                "2022-09-27 13:45:15.709933: F tensorflow/compiler/xla/stream_executor/cuda/cuda_driver.cc:148] "
                "Failed setting context: CUDA_ERROR_NOT_INITIALIZED: initialization error",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/tensorflow/issues/41937",
            log=(
                "E tensorflow/stream_executor/cuda/cuda_driver.cc:318] failed call to cuInit: CUDA_ERROR_UNKNOWN: "
                "unknown error",
            ),
            cause="driver-unhealthy",
        ),
    ),
    meaning="CUDA can't be used in a process that was forked after CUDA was started: the driver answers each call with "
    "error 3, and TensorFlow's threads don't exist there. The driver and the GPU are well.",
    appearance='InternalError "Error recording CUDA event: CUDA_ERROR_NOT_INITIALIZED" (2.21); "Failed setting '
    'context: CUDA_ERROR_NOT_INITIALIZED: initialization error" and an abort (2.2 to 2.11, exit status -6); "could not '
    'retrieve CUDA device count: CUDA_ERROR_NOT_INITIALIZED"; "Failed to get device properties, error code: 3"; or '
    "the process hangs without a word.",
    distinction="A driver that can't be started (driver-unhealthy) fails in every process, at the first call, with "
    "other codes mostly.",
    confirmation='Run the same in a process of its own (`multiprocessing.get_context("spawn")`): it works.',
    remedy="Use the start method spawn or forkserver, or let only the parent use the GPU.",
    references=(
        "https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods",
        "https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html",
    ),
)
