"""XLA or the JIT can't find or run libdevice, ptxas, nvlink."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="cuda-toolkit-not-found",
    category="environment",
    summary="XLA can't find, or can't run, the parts of the CUDA toolkit that it compiles with.",
    signatures=(
        Signature(
            "root",
            (
                "libdevice not found at",
                "libdevice is required by this HLO module but was not found",
                "No PTX compilation provider is available",
                "{ptxas|nvlink} not found",
                "{ptxas|nvlink}: No such file or directory",
                "Couldn't get {ptxas|ptxas/nvlink} version string",
                "Couldn't find {ptxas|nvlink|a suitable version of ptxas}",
                "Couldn't invoke ptxas",
                "Unable to find libdevice dir",
                "You must specify {ptxas|libdevice}",
            ),
            weight=0.9,
        ),
        Signature("root", ("Can't find ptxas binary",), where="message", weight=0.88),
        Signature("root", ("Failed to launch ptxas",), where="message", weight=0.75),
        Signature(
            "root", ("ptxas returned an error during compilation", "ptxas exited with non-zero"), weight=0.7
        ),
        Signature("root", ("Can't find libdevice directory",), also=("JIT compilation failed",), weight=0.88),
        Signature("follows", ("JIT compilation failed",), weight=0.5),
        Signature("follows", ("Can't find libdevice directory",), weight=0.5),
        Signature("follows", ("Can't find ptxas binary", "Failed to launch ptxas"), where="log", weight=0.3),
        Signature("root", texts.PTXAS_REFUSED, weight=0.85),
        Signature("excludes", ("is not defined for option 'gpu-name'", "Unsupported .version"), weight=0.5),
        Signature("excludes", ("Loaded PTX assembler is too old",), weight=0.6),
        *statuses.signs("cuda-toolkit-not-found"),
        Signature(
            "root",
            (
                "{ptxas|nvlink|fatbinary}: {Permission denied|cannot execute}",
                "Exec format error{}ptxas",
                "{nvlink|fatbinary} exited with non-zero",
                "Failed to compile generated PTX with ptxas",
                "ptxas too old",
                "Unresolved extern function '__nv_{w}'",
            ),
            weight=0.65,
        ),
        Signature(
            "follows", ("by setting xla_gpu_cuda_data_dir", "Searched for CUDA in the following"), weight=0.5
        ),
        Signature(
            "follows",
            (
                "asm_compiler.cc",
                "ptx_compiler.cc",
                "subprocess_compilation.cc",
                "nvptx_compiler.cc",
            ),
            needs=(
                "logged-by:asm_compiler.cc/ptx_compiler.cc/subprocess_compilation.cc/nvptx_compiler.cc",
                "gpu-wanted",
            ),
            weight=0.3,
        ),
    ),
    rivals=("cuda-version-mismatch", "unsupported-compute-capability"),
    help=(
        Help(
            "Install the toolkit's compiler: pip install nvidia-cuda-nvcc-cu12 (tensorflow[and-cuda] brings it), or "
            "conda install cuda-nvcc."
        ),
        Help("Tell XLA where it is: XLA_FLAGS=--xla_gpu_cuda_data_dir=/path/to/cuda.", sure=False),
        Help("Compile without XLA: model.compile(jit_compile=False).", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/57623",
            log=(
                "2022-09-07 10:07:03.284157: W tensorflow/compiler/xla/service/gpu/llvm_gpu_backend/"
                "gpu_backend_lib.cc:327] libdevice is required by this HLO module but was not found at "
                "./libdevice.10.bc",
                "2022-09-07 10:07:03.284591: W tensorflow/core/framework/op_kernel.cc:1830] OP_REQUIRES failed at "
                "xla_ops.cc:327 : INTERNAL: libdevice not found at ./libdevice.10.bc",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source='tf.io.read_file("/nonexistent") with TensorFlow 2.21.0',
            exception="NotFoundError",
            message="{{function_node __wrapped__ReadFile_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "/nonexistent; No such file or directory [Op:ReadFile]",
            cause="file-not-found",
        ),
    ),
    meaning="To compile for the GPU, XLA needs files of the CUDA toolkit that the libraries alone don't bring: "
    "libdevice.10.bc and the programs ptxas and nvlink. They are missing, not searched for, or can't be run.",
    appearance='InternalError "libdevice not found at ./libdevice.10.bc" (2.x), "Can\'t find ptxas binary" (to 2.16), '
    'UnavailableError "No PTX compilation provider is available" (2.17 on), UnknownError "JIT compilation failed." '
    "from "
    "element-wise operations on Windows and conda. Mostly through jit_compile=True, Keras 3's default and some "
    "optimizers of 2.11 and later.",
    distinction='"Can\'t find ptxas binary ... Will back to the GPU driver" and "Relying on driver to perform ptx '
    'compilation" are harmless by themselves. A ptxas that is found and refused for its version says so.',
    confirmation="The log lists the folders that were searched; look for nvvm/libdevice and bin/ptxas there.",
    remedy="Install nvidia-cuda-nvcc-cu12 or cuda-nvcc, or set XLA_FLAGS to the toolkit's folder before TensorFlow is "
    "imported.",
    references=("https://www.tensorflow.org/install/pip", "https://openxla.org/xla/flags_guidance"),
)
