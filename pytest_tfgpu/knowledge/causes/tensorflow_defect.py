"""A defect of this TensorFlow or Keras version, gone in another."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="tensorflow-defect",
    category="environment",
    summary="This looks like a defect of the installed TensorFlow or Keras version.",
    signatures=(
        Signature("root", ("This {is likely|could be|may be} a {cudnn |}bug",), weight=0.45),
        Signature(
            "root",
            ("Please file a bug", "please file an issue", "This is a bug"),
            where="message",
            weight=0.5,
        ),
        Signature("root", ("RET_CHECK failure", "LLVM ERROR", "Check failed: false"), weight=0.6),
        Signature("root", ("No allocator statistics",), needs=("variable:TF_GPU_ALLOCATOR",), weight=0.75),
        Signature(
            "root",
            (
                "too many resources requested for launch",
                "uses too much {shared|local|parameter} {data|space}",
            ),
            weight=0.5,
        ),
        Signature("follows", texts.FAULT, weight=0.3),
        Signature("follows", texts.CUDNN_RNN, weight=0.35),
        Signature("root", ("work_element_count {>|>=} 0 (-{#} vs. 0)",), weight=0.6),
        Signature("follows", ("Check failed:",), weight=0.21),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
        Signature("excludes", ("does not support target", "LLVM ERROR: out of memory"), weight=0.6),
        Signature("root", ("CUDNN_STATUS_BAD_PARAM",), also=("cudnnSetRNNDataDescriptor",), weight=0.65),
        *statuses.signs("tensorflow-defect"),
        Signature("root", ("failed assertion `[MPS", "MPSNDArray.mm:{#}: failed assertion"), weight=0.5),
    ),
    rivals=("op-unsupported-on-device", "gpu-fault"),
    help=(
        Help("Try the next version of TensorFlow, and look for the text in its issue tracker.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/24784",
            log=(
                "./tensorflow/core/util/cuda_launch_config.h:127] Check failed: work_element_count > 0 "
                "(-608567296 vs. 0)",
                "Aborted (core dumped)",
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
    meaning="The program is right and the machine is sound; this version of TensorFlow, Keras or XLA fails with it.",
    appearance='Failed checks ("RET_CHECK failure", "Check failed"), internal errors that ask to file a bug, faults '
    "that "
    "every machine with this version shows.",
    distinction="Rule out memory, versions and the device first: they explain most internal errors.",
    confirmation="The same program with another version of TensorFlow on the same machine.",
    remedy="Use the version in which it is fixed, or the way around that its issue names.",
    references=("https://github.com/tensorflow/tensorflow/issues",),
)
