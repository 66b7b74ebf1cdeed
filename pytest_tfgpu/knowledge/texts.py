"""Texts that several causes refer to, from TensorFlow 1.x to 2.21."""

from __future__ import annotations

CUDNN_HANDLE = ("could not create cudnn handle", "cudnn library could not create a handle")
"""cuDNN couldn't be started (log, all versions)."""

CUBLAS_HANDLE = (
    "failed to create {cublas|cublasLt} handle",
    "Failed to create {cuBlas|cuSolverDN|cuSparse} instance",
)
"""cuBLAS or cuSOLVER couldn't be started (log; the last two abort the process)."""

NO_CUDNN = (
    "Failed to get convolution algorithm",
    "Fail to find the dnn implementation",
    "No DNN in stream executor",
    "Dnn is not supported",
    "DNN library initialization failed",
    "without DNN support",
)
"""What follows from a cuDNN that couldn't be started: 1.12-2.6, RNNs to 2.12, 2.16 on, XLA, log to 2.12."""

DNN_NOT_FOUND = ("DNN library is not found",)
"""The same in 2.7 to 2.15; also said where libcudnn is missing."""

BLAS_LAUNCH = ("Blas {} launch failed",)
"""A product that cuBLAS wasn't started for, or that failed in it (to 2.7)."""

NO_CUBLAS = (
    *BLAS_LAUNCH,
    "without BLAS support",
    "No BLAS {support in|support for|for} stream",
    "Unable to get Blas support",
    "Failed to initialize BLAS support",
)
"""What follows from a cuBLAS that couldn't be started: to 2.7, to 2.16, 2.16 on, XLA."""

OOM = (
    "OOM when allocating {|temporary }tensor",
    "Ran out of GPU memory when allocating",
    "EigenAllocator for GPU ran out of memory",
    "SameWorkerRecvDone unable to allocate output tensor",
    "Out of memory while trying to allocate {#} bytes",
    "Out of memory allocating {#} bytes",
    "Failed to allocate request for",
    "Failed to allocate {#} bytes",
    "failed to allocate memory",
    "cuMemAllocAsync failed to allocate",
    "Exceeded memory limit (failed to allocate",
    "from device collective memory",
    "Failed to allocate scratch memory for",
)
"""An allocation that failed and is the error itself."""

OOM_LOG = ("ran out of memory trying to allocate {w}",)
"""The allocator's own line (log), also where it serves the host."""

ALLOCATOR_DUMP = ("Chunks of size {#} totalling", "Sum Total of in-use chunks:", "InUse: {#}{~}MaxInUse:")
"""The allocator's table of what it holds (log), which it prints only when an allocation failed."""

REFUSED_BY_NUMBER = (
    "CUFFT_SUCCESS (2 vs. 0)",
    "CUBLAS_STATUS_SUCCESS (3 vs. 0)",
    "CUDNN_STATUS_SUCCESS (2 vs. 0)",
    "CUSOLVER_STATUS_SUCCESS (2 vs. 0)",
    "{cudaSuccess|CUDA_SUCCESS} (2 vs. 0)",
)
"""A CUDA library was refused memory, said by the number of its status in a failed check."""

REFUSED = ("CUDA_ERROR_OUT_OF_MEMORY", "CUDNN_STATUS_ALLOC_FAILED")
"""CUDA or cuDNN was refused memory (log, all versions)."""

COPY_FAILED = ("Dst tensor is not initialized",)
"""A copy to the GPU found no memory; 2.6 on with "Failed copying input tensor" before it."""

NO_ALGORITHM = ("No algorithm worked!", "No algorithm without scratch worked!")

CUDNN_LAUNCH = (
    "cuDNN launch failure",
    "{dnn|cudnn} {PoolForward|PoolBackward} launch failed",
)
"""cuDNN was started and an operation failed in it."""

CUDNN_BACKWARD = ("cuDNN Backward {Data|Filter} function launch failure",)
"""The backward pass failed (1.x to 2.5): it needs the most work space."""

CUDNN_RNN = ("Failed to call {ThenRnnForward|ThenRnnBackward|DoRnnForward|DoRnnBackward}",)
"""cuDNN was started and a recurrent layer failed in it; mostly for want of memory."""

NO_CONFIG_OF_CONVOLUTION = (
    "Autotuner could not find any supported configs for HLO: {}{cudnn-conv|cudnn$conv}",
)
"""XLA found nothing in cuDNN for a convolution, mostly one with its bias and activation (2.21)."""

FFT_PLAN = ("cuFFT {|batched }plan", "batched cufft plan")
"""A plan of cuFFT couldn't be made: its work space is allocated with it."""

FAULT = (
    "CUDA_ERROR_{ILLEGAL_ADDRESS|LAUNCH_FAILED|MISALIGNED_ADDRESS|ILLEGAL_INSTRUCTION|LAUNCH_TIMEOUT|INVALID_PC}",
    "an illegal memory access was encountered",
    "unspecified launch failure",
    "cudaErrorIllegalAddress",
    "cudaErrorLaunchFailure",
    "misaligned address",
    "device-side assert triggered",
    "an illegal instruction was encountered",
    "the launch timed out and was terminated",
    "CUDA_ERROR_ASSERT",
    "{cudaSuccess|CUDA_SUCCESS} ({4|6|74|77|700|702|715|716|718|719} vs. 0)",
    "kIOGPUCommandBufferCallbackError{Hang|Timeout|PageFault}",
    "Caused GPU {Timeout|Hang|Address Fault} Error",
    "DXGI_ERROR_DEVICE_{REMOVED|HUNG|RESET}",
)
"""Codes 700, 702, 710, 714 to 719 (4, 6, 74, 77 before CUDA 10.1), and the like of Metal and DirectML: the context is
dead from here on."""

PINNED = (
    "explicit device specification",
    "explicitly assigned to",
    "Could not satisfy device specification",
    "Unable to find any devices for spec",
)
"""An operation was pinned to a device (`tf.device`)."""

NO_KERNEL = (
    "No OpKernel was registered to support Op",
    "No registered '{w}' OpKernel for",
    "Could not find {device|valid device} for node",
    "no supported kernel for {w} devices is available",
)
"""An operation without a kernel for what was asked; a list of the kernels that exist follows mostly."""

NO_GPU = (
    "GPU device not found",
    "No {GPU|GPUs} {found|available|detected|were found|was found}",
    "No GPU {device|devices} {|is |are |was |were }{found|available|detected}",
    "GPU {is |was |}not {available|found|detected}",
    "{Failed|Unable} to {detect|find} {|a |any }GPU",
)
"""What programs raise that look for a GPU themselves, after TensorFlow's guide."""

NO_DEVICE_MAPPED = ("Device mapping: no known devices",)
"""What a session with log_device_placement prints that knows no GPU; harmless in a log."""

NOT_COLOCATED = ("Could not colocate node with its resource",)
"""An operation and what it uses are on devices of which neither can reach the other."""

COLOCATED = (
    "Could not satisfy explicit device specification '' because the node {} required incompatible device",
)
"""An operation that was pinned to no device has to run beside another one, on a device for which it has no kernel."""

INVALID_AT_START = ("failed call to cuInit: {}CUDA_ERROR_INVALID_DEVICE",)
"""CUDA found no device of that number: the variable that chooses them names one that isn't there, or one twice."""

GPU_START = (
    "cudaSetDevice() on GPU:{#} failed",
    "implicit initialization on GPU:{#} failed",
    "failed initializing StreamExecutor",
)
"""A GPU that was found couldn't be started; the status after it tells why (to 2.12 mostly)."""

CUBLAS_EXECUTION = (
    "failed to run cuBLAS routine: CUBLAS_STATUS_EXECUTION_FAILED",
    "failed to run cuBLAS routine {w} CUBLAS_STATUS_EXECUTION_FAILED",
    "failed to run cuBLAS routine: the function failed to launch on the GPU",
)
"""cuBLAS had its handle and its kernel failed: seldom for want of memory."""

NO_COPY_OF_VARIANT = ("No unary variant device copy function found",)
"""A dataset, a list of tensors or the like can't be moved between CPU and GPU."""

IOMMU_FAULT = (
    "DMAR: [DMA {Write|Read}",
    "DMAR: DRHD: handling fault status",
    "AMD-Vi: Event logged [IO_PAGE_FAULT",
)
"""The kernel's log: the IOMMU refused a device a transfer, such as one from GPU to GPU."""

STUB = ("CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library")
"""libcuda is the toolkit's stub, made for linking only."""

FORWARD_COMPATIBILITY = (
    "COMPAT_NOT_SUPPORTED_ON_DEVICE",
    "forward compatibility was attempted on non supported HW",
)
"""A compat libcuda, newer than the kernel driver, on a card that isn't allowed to use one (cuInit 804)."""

PTXAS_REFUSED = ("XLA requires ptxas version", "has a bug that we think can affect XLA")
"""A ptxas was found and XLA refuses it."""

PTXAS_TOO_OLD = ("is not defined for option 'gpu-name'", "Loaded PTX assembler is too old")
"""A ptxas was found that doesn't know the GPU."""

PTX_FOR_ANOTHER_GPU = (
    "Feature '{}' {requires|not supported on} .target {|'}sm_{w}",
    "with .target 'sm_{w}' cannot be compiled {to future|for} architecture",
)
"""ptxas was given code that this GPU can't run."""

NOT_INITIALIZED = (
    "CUDNN_STATUS_NOT_INITIALIZED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "cuBLAS routine: the library was not initialized",
)

LAYOUT = (
    "only {supports|support} {|the }{NHWC|NDHWC}",
    "is only supported for {NHWC|NDHWC}",
    "Only {NHWC|NDHWC} data_format supported",
)
"""An operation that knows one layout of the data only; mostly on the CPU."""

NO_OPTION = (
    *LAYOUT,
    "not support grouped convolutions",
    "grouped convolutions are not supported",
    "not {|yet }support dilation rates larger than 1",
    "not supported {on|by} {the GPU|GPU|the CPU|CPU}",
    "not {|yet }supported by the {GPU|CPU} implementation",
    "is not supported on {GPU|CPU} devices",
    "Cannot use GPU {when|for}",
    "is not currently supported without cudnn",
    "ROCm MIOpen only supports",
    "CUDA LRN does not support",
    "Sequence lengths for RNN are required from CUDNN",
    "only implemented {on|for} the {GPU|CPU}",
    "while using cuDNN, which is not supported",
    "Fusion is not implemented",
)
"""An operation without a kernel for the layout, the grouping or another option that was asked for."""

CUDNN_SETUP = (
    "Failed to set {cuDNN|cuBlas|cuSolverDN|cuSparse} stream",
    "Failed to set dropout descriptor",
    "Failed to initialize DNN support",
)
"""cuDNN was started and couldn't be set up: both take memory of their own."""

NO_OPTION_EITHER = (
    "not supported for {CPU|GPU|CPUs|GPUs}",
    "not {|currently |yet }implemented for {|the }{MPS|Metal|CPU|GPU}",
    "must run on {|a }{GPU|CPU}",
    "requires a {GPU|CUDA} device",
    "CPU implementation of {} does not support",
    "is not supported on {CPU|GPU|CPUs|GPUs}",
    "only runs on {|the }{GPU|CPU}",
    "cuDNN is not supported for this layer",
    "cuDNN bidirectional LSTM failed",
    "is not compatible with GPU execution",
    "on GPU requires",
    "GPU {w} requires",
    "too large {to transpose on|for|for a} GPU",
    "elements too large for GPU kernel",
)
"""The turns in which other programs say so, too."""

UNIMPLEMENTED = (
    "only {support|supports|supported}",
    "unsupported",
    "unimplemented",
    "unhandled",
    "not {|yet |currently }{supported|implemented}",
    "{doesn't|does not|do not} {|yet |currently }support",
)
"""What an UnimplementedError says of an option that an operation doesn't have."""

NO_ROOM_BESIDE = (
    "Check failed: stream->parent()->GetBlasGemmAlgorithms",
    "Check failed: stream->parent()->GetConvolve{w}Algorithms",
    "Check failed: stream->parent()->GetConvolveAlgorithms",
    "Unexpected CUDA error: out of memory",
    "could not create CUDA event: out of device memory",
    "could not allocate CUDA stream",
    *CUDNN_SETUP,
    *FFT_PLAN,
    "Failed to create stream",
    "failed to allocate stream during initialization",
    "failed to alloc {#} bytes on host: CUDA_ERROR_UNKNOWN",
)
"""Parts of CUDA that need memory outside of TensorFlow's share and found none, or may have."""
