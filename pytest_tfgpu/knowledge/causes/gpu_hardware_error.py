"""Xid errors, uncorrectable ECC, fallen off the bus, heat, power."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="gpu-hardware-error",
    category="hardware",
    summary="The GPU itself reports a hardware error.",
    signatures=(
        Signature(
            "root",
            (
                "uncorrectable ECC",
                "CUDA_ERROR_ECC_UNCORRECTABLE",
                "cudaErrorECCUncorrectable",
                "fallen off the bus",
                "CUDA_ERROR_NVLINK_UNCORRECTABLE",
                "CUDA_ERROR_HARDWARE_STACK_ERROR",
                "GPU is lost",
                "GPU requires reset",
                "double bit ECC",
            ),
            weight=0.93,
        ),
        Signature(
            "root",
            ("Xid {~}{: 48,|: 62,|: 63,|: 64,|: 74,|: 79,|: 92,|: 94,|: 95,|: 119,|: 120,}",),
            weight=0.9,
        ),
        Signature("root", ("Unable to determine the device handle for",), weight=0.8),
        Signature("follows", ("Xid",), where="log", weight=0.4),
        Signature("follows", ("CUDA_ERROR_UNKNOWN: unknown error",), unless=("text:cuInit",), weight=0.25),
        Signature("follows", ("cudaErrorHardwareStackError", "ERR! {}ERR!"), weight=0.4),
        *statuses.signs("gpu-hardware-error"),
        Signature(
            "root",
            ("Xid {~}{: 8,|: 46,|: 54,|: 56,|: 61,|: 65,|: 81,|: 93,|: 110,|: 136,|: 140,|: 143,|: 145,}",),
            weight=0.85,
        ),
        Signature(
            "root",
            (
                "GPU crash dump has been created",
                "AER: {Uncorrected|Corrected}{}error",
                "{HW|Thermal} {Thermal |}Slowdown{} Active",
                "reached shutdown temp",
            ),
            weight=0.6,
        ),
    ),
    rivals=("gpu-fault", "driver-unhealthy"),
    help=(
        Help("Look at dmesg (Xid) and nvidia-smi -q (ECC, temperature, power) of this card."),
        Help("Take the card out of service, reset it, and have it looked at if it comes back.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/nagadit/DeepFaceLab_Linux/issues/89",
            log=(
                "F tensorflow/stream_executor/lib/statusor.cc:34] Attempting to fetch value instead of handling error "
                "Internal: failed initializing StreamExecutor for CUDA device ordinal 0: Internal: failed call to "
                "cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/charlesq34/pointnet2/issues/107",
            log=(
                "E tensorflow/stream_executor/cuda/cuda_event.cc:49] Error polling for event status: failed to query "
                "event: CUDA_ERROR_ILLEGAL_ADDRESS",
                "F tensorflow/core/common_runtime/gpu/gpu_event_mgr.cc:203] Unexpected Event status: 1",
            ),
            cause="gpu-fault",
        ),
    ),
    meaning="Memory that can't be corrected, a card that left the bus, a link or a power fault: the card or the "
    "machine, "
    "not the program.",
    appearance='CUDA_ERROR_ECC_UNCORRECTABLE (214), "GPU has fallen off the bus", NVRM Xid 48, 63, 64, 74, 79, 92, '
    "94, 95 in "
    'dmesg, nvidia-smi: "Unable to determine the device handle".',
    distinction="Xid 13, 31 and 43 are faults of a program: gpu-fault. If one of several equal cards fails, it is "
    "the card.",
    confirmation="nvidia-smi -q -d ECC,TEMPERATURE,POWER; run the same test on another card.",
    remedy="Reset the GPU or restart, check seating, power and cooling; replace the card.",
    references=("https://docs.nvidia.com/deploy/xid-errors/",),
)
