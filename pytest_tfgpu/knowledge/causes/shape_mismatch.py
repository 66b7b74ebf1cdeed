"""The tensors' shapes don't fit."""

from __future__ import annotations

from pytest_tfgpu.knowledge import arguments, statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="shape-mismatch",
    category="code",
    summary="The shapes of the tensors don't fit the operation.",
    signatures=(
        Signature(
            "root",
            arguments.SHAPES_UNFIT,
            weight=0.82,
        ),
        Signature(
            "root",
            (
                "does not {match|equal} {|the }{filter|filter's|filter input|input} depth",
                "doesn't match filter",
                "does not match corresponding dimension of",
            ),
            weight=0.7,
        ),
        Signature(
            "root",
            arguments.SHAPES,
            where="message",
            exceptions=("InvalidArgumentError", "ValueError"),
            weight=0.6,
        ),
        Signature("root", arguments.SHAPES, where="message", needs=("computing-operation",), weight=0.55),
        Signature("follows", ("cuDNN CTCLoss launch failure",), weight=0.4),
        Signature("root", ("not {|yet }supported on the batch dimension",), weight=0.7),
        Signature("follows", texts.NO_ALGORITHM, also=("[Op:Conv{w}]",), weight=0.4),
        Signature(
            "root",
            ("grouped convolution{|s}", "filter input depth"),
            needs=("depths-unfit-for-groups",),
            weight=0.85,
        ),
        Signature("excludes", needs=("depths-fit-for-groups",), weight=0.3),
        Signature("follows", ("grouped convolution{|s}",), weight=0.55),
        Signature("follows", ("cuDNN launch failure : input shape{| }([0,",), weight=0.85),
        Signature("excludes", needs=("fault-printed",), weight=0.5),
        *statuses.signs("shape-mismatch"),
        Signature("excludes", ("collective instance", "in the collective"), weight=0.8),
    ),
    rivals=("op-unsupported-on-device", "tensorflow-defect"),
    notes=("depths-unfit-for-groups",),
    help=(
        Help(
            "Compare the shapes in the message with what the model was built for; print .shape in front of it."
        ),
        Help(
            "Check the layout: channels last (NHWC) is TensorFlow's default, PyTorch's is channels first.",
            sure=False,
        ),
    ),
    examples=(
        Example(
            source="tf.ones(2) + tf.ones(3) with TensorFlow 2.21.0",
            exception="InvalidArgumentError",
            message="{{function_node __wrapped__AddV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "Incompatible shapes: [2] vs. [3] [Op:AddV2] name: ",
        ),
        Example(
            source="tf.matmul(tf.ones((2, 3)), tf.ones((2, 3))) with TensorFlow 2.21.0",
            exception="InvalidArgumentError",
            message="{{function_node __wrapped____MklMatMul_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "Matrix size-incompatible: In[0]: [2,3], In[1]: [2,3] [Op:MatMul] name: ",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.gather(tf.constant([1, 2, 3]), [5]) with TensorFlow 2.21.0 on a CPU",
            exception="InvalidArgumentError",
            message="{{function_node __wrapped__GatherV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "indices[0] = 5 is not in [0, 3) [Op:GatherV2]",
            cause="index-out-of-range",
        ),
    ),
    meaning="The operation can't be done with tensors of these shapes, on any device: the model, the data or the "
    "layout of the channels differ from what the code expects.",
    appearance='InvalidArgumentError "Incompatible shapes: [2] vs. [3]" (on a GPU also "required broadcastable '
    'shapes"), "Matrix size-incompatible", "logits and labels must have the same first dimension"; ValueError '
    '"Dimensions must be equal", "Input 0 of layer ... is incompatible with the layer" while a model is built. Texts '
    "about grouped convolutions are mostly this: the number of channels isn't the filter's.",
    distinction="A depth that is a multiple of the filter's is a real grouped convolution, and the CPU lacks the "
    "kernel: op-unsupported-on-device. Indices outside a table are index-out-of-range.",
    confirmation="Run the failing call alone with tensors of the shapes in the message; it fails on a CPU as well.",
    remedy="Correct the shape of the data or of the layer. Look for channels first against channels last, a missing "
    "batch dimension, labels that should be one per sample, an empty last batch.",
    references=("https://www.tensorflow.org/guide/tensor#about_shapes",),
)
