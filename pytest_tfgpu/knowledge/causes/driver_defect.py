"""A defect of this driver version."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Help, LookAlike, Signature

CAUSE = Cause(
    id="driver-defect",
    category="environment",
    summary="This version of the NVIDIA driver has a known defect.",
    signatures=(
        Signature("root", ("Invoking the PTX->SASS JIT from driver version",), weight=0.6),
        Signature("follows", texts.FAULT, needs=("driver-known-bad",), weight=0.3),
    ),
    rivals=("gpu-fault", "tensorflow-defect"),
    notes=("driver-known-bad",),
    help=(Help("Install another driver version, newer or the one before.", sure=False),),
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
    meaning="Certain driver versions crash or miscompile certain kernels.",
    appearance="No text of its own: a fault or wrong results with one driver version that vanish with another. For "
    "drivers "
    "before 396.20 TensorFlow warns that their JIT is known to miscompile XLA's code.",
    distinction="Only a version that is known for it, together with the operation, speaks for this.",
    confirmation="The same program with another driver on the same card.",
    remedy="Change the driver.",
    references=("https://docs.nvidia.com/datacenter/tesla/",),
)
