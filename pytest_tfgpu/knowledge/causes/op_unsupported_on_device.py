"""The operation has no kernel for this device, layout, grouping or option."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="op-unsupported-on-device",
    category="operation",
    summary="TensorFlow has no kernel for this operation on this device, with this layout or with these options.",
    signatures=(
        Signature(
            "root",
            texts.NO_OPTION,
            weight=0.8,
        ),
        Signature(
            "root",
            ("{op|kernel|operation} only supports", "not {|currently |yet }implemented for"),
            needs=("computing-operation",),
            weight=0.65,
        ),
        Signature(
            "follows",
            ("not {|yet |currently }{supported|implemented}",),
            status=("UNIMPLEMENTED",),
            needs=("computing-operation",),
            weight=0.45,
        ),
        Signature("root", texts.NO_KERNEL, weight=0.7),
        Signature("root", texts.NO_KERNEL, needs=("kernels-only-for:CPU",), weight=0.75),
        Signature("root", texts.NO_KERNEL, needs=("kernels-only-for:GPU",), weight=0.75),
        Signature("confirms", needs=("operation-on-cpu",), weight=0.3),
        Signature(
            "root",
            ("{doesn't|does not|do not} {|currently |yet }support",),
            where="message",
            needs=("computing-operation",),
            weight=0.5,
        ),
        Signature("follows", ("CUDNN_STATUS_{BAD_PARAM|NOT_SUPPORTED}",), ops=("CudnnRNN*",), weight=0.5),
        Signature("follows", ("CUDNN_STATUS_BAD_PARAM",), weight=0.37),
        Signature("root", ("Op type not registered '{w}' in binary",), weight=0.5),
        Signature("follows", texts.NO_COPY_OF_VARIANT, weight=0.4),
        Signature("root", texts.NO_COPY_OF_VARIANT, needs=("text:DatasetVariant",), weight=0.75),
        Signature("follows", texts.NOT_COLOCATED, weight=0.4),
        Signature("root", texts.COLOCATED, unless=("no-gpu-listed",), weight=0.8),
        Signature(
            "root",
            (
                "only {implemented|supported|available} {on|for} {GPU|GPUs|CPU|CPUs}",
                "not implemented {for|on} {GPU|CPU|device}",
                "implementation {only supports|does not support}",
                "No supported device found in available devices",
                "because no device type supports both of those nodes",
            ),
            weight=0.72,
        ),
        Signature(
            "root",
            ("Cudnn pooling failed to split", "on {GPU|CPU} only supports", "requires depth_radius in"),
            weight=0.65,
        ),
        Signature("excludes", needs=("gpu-lost", "operation-on-cpu"), weight=0.3),
        Signature("excludes", needs=("depths-unfit-for-groups",), weight=0.5),
        Signature("excludes", needs=("kernels-lack-type",), weight=0.6),
        Signature("excludes", needs=("kernels-for-every-device",), weight=0.4),
        Signature("excludes", ("Detected unsupported operations",)),
        Signature("excludes", ("deterministic",), weight=0.9),
        Signature("excludes", ("to apply delegate", "TfLite", "TFLite")),
        Signature("excludes", needs=("no-kernels", "no-gpu-listed"), weight=0.35),
        *statuses.signs("op-unsupported-on-device"),
        Signature("root", texts.NO_OPTION_EITHER, where="message", weight=0.65),
        Signature(
            "root",
            texts.UNIMPLEMENTED,
            where="message",
            status=("UNIMPLEMENTED",),
            unless=("text:://", "text:Cast "),
            weight=0.5,
        ),
        Signature(
            "follows",
            status=("UNIMPLEMENTED",),
            needs=("computing-operation",),
            unless=("text:://", "text:Cast ", "text:DNN library", "text:eterminis"),
            weight=0.3,
        ),
    ),
    rivals=("cpu-only-build", "gpu-not-visible", "tensorflow-defect"),
    notes=("depths-fit-for-groups", "operation-on-cpu", "kernels-only-for:GPU", "kernels-only-for:CPU"),
    help=(
        Help(
            "If a GPU was meant, find out why the operation ran on the CPU: `tfgpu doctor` says what TensorFlow lacks.",
            sure=False,
            needs=("operation-on-cpu",),
        ),
        Help(
            "Use the layout that the CPU has: data_format='NHWC' (channels_last).",
            needs=("layout-unsupported",),
        ),
        Help(
            "Run this operation on the other kind of device (tf.device), or use one that has a kernel.",
            sure=False,
        ),
    ),
    examples=(
        Example(
            source="tf.raw_ops.CudnnRNN(...) with TensorFlow 2.21.0 on a CPU",
            exception="NotFoundError",
            message="Could not find device for node: {{node CudnnRNN}} = CudnnRNN[T=DT_FLOAT, "
            'direction="unidirectional", dropout=0, input_mode="linear_input", is_training=true, rnn_mode="lstm", '
            "seed=0, seed2=0]\nAll kernels registered for op CudnnRNN:\n  device='GPU'; T in [DT_DOUBLE]\n"
            "  device='GPU'; T in [DT_FLOAT]\n  device='GPU'; T in [DT_BFLOAT16]\n  device='GPU'; T in [DT_HALF]\n"
            " [Op:CudnnRNN]",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.nn.conv2d with 3 input channels and a filter for 2, TensorFlow 2.21.0 on a CPU",
            exception="InvalidArgumentError",
            message="{{function_node __wrapped____MklNativeConv2D_device_/job:localhost/replica:0/task:0/"
            "device:CPU:0}} input depth must be evenly divisible by filter depth: 3 vs 2 [Op:Conv2D] name: ",
            cause="shape-mismatch",
        ),
    ),
    meaning="Each operation has kernels for some devices, data types, layouts and options. For what was asked here "
    "there is none: mostly a layout or a grouping that only the GPU knows and the operation ran on the CPU, or an "
    "operation that exists on one kind of device only.",
    appearance='UnimplementedError or InvalidArgumentError "... only supports NHWC ..." and "... grouped convolutions '
    '..." ("Generic conv" in 1.13, "Fused conv" in 1.14 to 2.7, "The Conv2D op currently does not support ..." '
    'later); "No OpKernel was registered to support Op" (graphs), "No registered ... OpKernel" and "Could not find '
    'device for node" (eager), each with the list of kernels that exist.',
    distinction="Read the list of kernels: other data types for the same device mean dtype-unsupported-on-device; "
    "none at all for a cuDNN operation and no GPU among the devices, cpu-only-build. An operation that the program "
    "itself pinned to a device that isn't there is invalid-device. Where the depth isn't a multiple of the filter's "
    "it is shape-mismatch. XLA's lists of unsupported operations are xla-unsupported.",
    confirmation="`device:CPU:0` in the text tells that it ran on the CPU. tf.debugging.set_log_device_placement(True) "
    "prints where each operation runs.",
    remedy="If a GPU was meant, repair what lost it (`tfgpu doctor`). Else use the layout and the options that the "
    "device has, or place the operation on the device that has the kernel.",
    references=("https://www.tensorflow.org/guide/gpu#logging_device_placement",),
)
