"""A virtual GPU without a licence."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="vgpu-unlicensed",
    category="environment",
    summary="The virtual GPU has no licence, and its driver withholds CUDA.",
    signatures=(
        Signature(
            "root",
            (
                "devices are busy or unavailable",
                "device(s) is/are busy or unavailable",
                "failed call to {cuDevicePrimaryCtxRetain|cuCtxCreate}",
                "CUDA_ERROR_NOT_PERMITTED",
            ),
            needs=("virtual-gpu",),
            weight=0.86,
        ),
        Signature(
            "root",
            (
                "vGPU {}{unlicensed|license}",
                "Unlicensed (Unrestricted)",
                "License Status {}: Unlicensed",
                "license {}GRID",
                "license: Unlicensed",
                "Failed to acquire license",
            ),
            weight=0.85,
        ),
        Signature("follows", (*texts.FAULT, "CUDA_ERROR_UNKNOWN"), needs=("virtual-gpu",), weight=0.4),
        Signature("confirms", needs=("virtual-gpu",), weight=0.3),
        *statuses.signs("vgpu-unlicensed"),
    ),
    rivals=("gpu-busy", "driver-unhealthy"),
    notes=("virtual-gpu",),
    help=(
        Help(
            "Look at nvidia-smi -q: License Status. Configure the licence server (gridd.conf, token) and restart."
        ),
        Help("Make sure the profile allows CUDA (Q or C, not B or A).", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/NVIDIA/gpu-operator/issues/220",
            log=(
                "vGPU Software Licensed Product",
                "    Product Name                      : NVIDIA Virtual Compute Server",
                "    License Status                    : Unlicensed",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/google-research/pix2struct/issues/53",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="cudaSetDevice() on GPU:0 failed. Status: CUDA-capable device(s) is/are busy or unavailable",
            cause="gpu-busy",
        ),
    ),
    meaning="NVIDIA's virtual GPUs (GRID, vGPU) need a licence. Without one the driver refuses CUDA contexts, at "
    "once or "
    "some minutes after the start.",
    appearance='"all CUDA-capable devices are busy or unavailable" on a device with a name such as "GRID T4-4Q", or '
    "work "
    "that fails after about twenty minutes.",
    distinction="On a physical GPU the same text is gpu-busy.",
    confirmation="nvidia-smi -q shows License Status: Unlicensed.",
    remedy="Give the virtual machine a licence; restart nvidia-gridd.",
    references=("https://docs.nvidia.com/vgpu/latest/grid-licensing-user-guide/",),
)
