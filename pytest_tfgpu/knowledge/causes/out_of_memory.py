"""The workload needs more GPU memory than there is."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="out-of-memory",
    category="memory",
    summary="The GPU has less memory than this workload needs.",
    signatures=(
        Signature("root", texts.OOM, unless=("host-allocator",), weight=0.75),
        Signature("root", texts.OOM_LOG, needs=("gpu-allocator",), weight=0.7),
        Signature("root", texts.COPY_FAILED, weight=0.75),
        Signature("follows", texts.ALLOCATOR_DUMP, where="log", unless=("host-allocator",), weight=0.5),
        Signature("root", texts.REFUSED_BY_NUMBER, weight=0.6),
        Signature("root", ("CUDNN failed to allocate the scratch space",), weight=0.7),
        Signature("follows", texts.NO_ALGORITHM, weight=0.55),
        Signature("follows", texts.FFT_PLAN, weight=0.6),
        Signature("follows", ("CUFFT_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED"), weight=0.55),
        Signature("follows", texts.REFUSED, weight=0.45),
        Signature("follows", (*texts.CUDNN_SETUP, "failed to alloc {#} bytes unified memory"), weight=0.5),
        Signature(
            "follows",
            ("Profiling failure on CUDNN engine", "cuSolverDN call failed with status =2"),
            weight=0.4,
        ),
        Signature("follows", texts.CUDNN_LAUNCH, weight=0.3),
        Signature("confirms", needs=("allocator-full",), weight=0.75),
        Signature("confirms", needs=("request-beyond-limit",), weight=0.8),
        Signature(
            "follows",
            (*texts.CUDNN_LAUNCH, *texts.CUDNN_BACKWARD),
            needs=("text:this is not a failure",),
            weight=0.58,
        ),
        Signature("follows", texts.CUDNN_BACKWARD, weight=0.55),
        Signature("follows", texts.CUDNN_RNN, unless=("text:EXECUTION_FAILED",), weight=0.5),
        Signature(
            "follows",
            status=("RESOURCE_EXHAUSTED",),
            needs=("allocator-full",),
            unless=("host-allocator", "path-alone"),
            weight=0.5,
        ),
        Signature("root", ("See logs for memory state",), unless=("host-allocator",), weight=0.65),
        Signature(
            "root",
            ("Ran out of memory trying to allocate",),
            where="message",
            unless=("host-allocator",),
            weight=0.65,
        ),
        Signature("follows", ("cudaErrorMemoryAllocation", "CUDA error: out of memory"), weight=0.5),
        Signature("root", ("kIOGPUCommandBufferCallbackErrorOutOfMemory",), weight=0.85),
        Signature("excludes", needs=("host-allocator",)),
        Signature("excludes", needs=("allocated-on-cpu",), weight=0.5),
        Signature("excludes", needs=("host-took-the-same",), weight=0.6),
        Signature("excludes", needs=("other-framework",), weight=0.8),
        Signature("excludes", needs=("fault-printed",), weight=0.85),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
        Signature("excludes", needs=("gpu-memory-taken-at-start",), weight=0.35),
        Signature("excludes", needs=("other-processes",), weight=0.35),
        Signature("excludes", needs=("memory-in-pieces",), weight=0.5),
        Signature("excludes", needs=("many-graphs",), weight=0.35),
        Signature("excludes", texts.NO_ALGORITHM, needs=("gpu-memory-free",), weight=0.8),
        *statuses.signs("out-of-memory"),
        Signature(
            "root",
            ("NvMapMemAllocInternalTagged: {#} error 12", "HRESULT failed with 0x8007000e"),
            weight=0.65,
        ),
        Signature(
            "follows",
            status=("RESOURCE_EXHAUSTED",),
            needs=("computing-operation",),
            unless=("host-allocator", "path-alone"),
            weight=0.3,
        ),
        Signature("follows", ("cuda_fft.cc",), needs=("logged-by:cuda_fft.cc", "gpu-wanted"), weight=0.3),
    ),
    rivals=("memory-held-by-other-process", "memory-leak"),
    notes=("memory-shared-with-host", "allocator-full", "request-beyond-limit", "tensor-size"),
    help=(
        Help(
            "Feed the data in pieces (tf.data, or batches) instead of as one array: the whole array is "
            "being copied to the GPU, so a smaller batch size changes nothing.",
            needs=("whole-array",),
        ),
        Help("Use a smaller batch, smaller inputs or a smaller model.", unless=("whole-array",)),
        Help("Free models of earlier tests (tf.keras.backend.clear_session()) before this one.", sure=False),
        Help("Run the test alone: if it passes then, what earlier tests left is the cause.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/models/issues/7142",
            exception="ResourceExhaustedError",
            message="OOM when allocating tensor with shape[500,17,17,4032] and type float on "
            "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.zeros([10**6, 10**6]) with TensorFlow 2.21.0 on a CPU",
            exception="ResourceExhaustedError",
            message="{{function_node __wrapped__Fill_device_/job:localhost/replica:0/task:0/device:CPU:0}} OOM "
            "when allocating tensor with shape[1000000,1000000] and type float on "
            "/job:localhost/replica:0/task:0/device:CPU:0 by allocator mklcpu [Op:Fill] name: ",
            cause="host-out-of-memory",
        ),
    ),
    meaning="An operation asked for a block of GPU memory, TensorFlow's allocator had none of that size left and "
    "the driver gave no more. The tensors that are alive at this moment, and the one that was asked for, don't fit.",
    appearance='ResourceExhaustedError "OOM when allocating tensor with shape[...] ... by allocator GPU_0_bfc" (all '
    'versions; the type and the allocator from 1.5 on). InternalError "Dst tensor is not initialized." where a copy '
    'to the GPU found no room, from 2.6 with "Failed copying input tensor" before it. XLA says "Out of memory while '
    'trying to allocate N bytes" (to 2.16) or "Out of memory allocating N bytes". "No algorithm worked!" and a '
    "failed cuFFT plan are often the same in disguise: the work space found no memory.",
    distinction="The allocator's name decides: GPU_0_bfc is the GPU; cpu, mklcpu and the host_bfc ones are the "
    "host's memory (host-out-of-memory). A limit in the allocator's statistics far below the card's memory means "
    "that others hold it (memory-held-by-other-process). Enough free in total, in pieces: memory-fragmentation. "
    "A small tensor late in a long session: memory-leak. TensorFlow prints its hint at fragmentation always; it "
    "proves nothing.",
    confirmation="Compare Limit and InUse in the dump on standard error with the request. Multiply the shape by the "
    "size of the type. Run the test alone, with nvidia-smi beside it.",
    remedy="Make the batch, the inputs or the model smaller. Where the first dimension of the tensor is the size of "
    "the data set, or the operation is _EagerConst, the array is copied as a whole: use tf.data, so that only "
    "batches reach the GPU. Mixed precision halves activations. Free models between tests.",
    references=(
        "https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth",
        "https://www.tensorflow.org/api_docs/python/tf/errors/ResourceExhaustedError",
    ),
)
