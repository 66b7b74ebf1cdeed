"""A gather, embedding or label index outside the range."""

from __future__ import annotations

from pytest_tfgpu.knowledge import arguments
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="index-out-of-range",
    category="code",
    summary="An index or a label lies outside of the table or the classes that it points into.",
    signatures=(
        Signature(
            "root",
            arguments.INDICES,
            weight=0.85,
        ),
        Signature("excludes", exceptions=("AssertionError",)),
        Signature(
            "root",
            arguments.INDICES_CHECKED,
            where="message",
            status=("INVALID_ARGUMENT", "OUT_OF_RANGE"),
            needs=("computing-operation",),
            weight=0.65,
        ),
    ),
    rivals=("gpu-fault", "shape-mismatch"),
    help=(
        Help(
            "Make the table as long as the largest index plus one, or map unknown values to an index of their own."
        ),
        Help(
            "Don't trust a pass on a GPU: gathers, embeddings and label indices outside the range give zeros or NaN "
            "there, without an error."
        ),
    ),
    examples=(
        Example(
            source="tf.gather(tf.constant([1, 2, 3]), [5]) with TensorFlow 2.21.0 on a CPU",
            exception="InvalidArgumentError",
            message="{{function_node __wrapped__GatherV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "indices[0] = 5 is not in [0, 3) [Op:GatherV2]",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.ones(2) + tf.ones(3) with TensorFlow 2.21.0",
            exception="InvalidArgumentError",
            message="{{function_node __wrapped__AddV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "Incompatible shapes: [2] vs. [3] [Op:AddV2] name: ",
            cause="shape-mismatch",
        ),
    ),
    meaning="A gather, an embedding look-up, a scatter or a sparse loss got an index that its table doesn't have. The "
    "CPU checks and raises. Most GPU kernels don't: they return zeros, NaN, or drop the update.",
    appearance='InvalidArgumentError "indices[0] = 5 is not in [0, 3)" (gather, embeddings; all versions), "does not '
    'index into param shape" (gather_nd, scatter_nd), "Received a label value of 10 which is outside the valid range '
    'of [0, 10)" (sparse cross-entropy).',
    distinction="A test that passes on the GPU and fails so on the CPU isn't a fault of the CPU: the data are wrong "
    "in both. If it fails only since it runs on the CPU, ask why there is no GPU (cpu-only-build, gpu-not-visible).",
    confirmation="Compare the largest index in the data with the size of the table; the message names both.",
    remedy="Enlarge the table or the number of classes by one (labels often begin at 1), or clean the data. Pad with "
    "a valid index, never with -1.",
    references=("https://www.tensorflow.org/api_docs/python/tf/gather",),
)
