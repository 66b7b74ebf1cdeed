"""Memory growth, limits or visible devices were set after TensorFlow had initialised the GPU."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="gpu-configured-too-late",
    category="code",
    summary="GPU options were set after TensorFlow had already initialised the devices.",
    signatures=(
        Signature(
            "root",
            (
                "devices cannot be modified",
                "must be set before GPUs have been initialized",
                "cannot be {modified|changed} after {|the }{initialization|program startup|being initialized}",
                "must be {configured|set} at program startup",
                "cannot be set after the context has been initialized",
                "Trying to change the options of an active eager execution",
                "is being mapped to multiple {|CUDA }devices",
            ),
            weight=0.92,
        ),
    ),
    help=(
        Help(
            "Set it before the first tensor is made: at the top of conftest.py, or by TF_FORCE_GPU_ALLOW_GROWTH=true."
        ),
        Help("Look for module-level code that makes tensors or lists devices during collection.", sure=False),
    ),
    examples=(
        Example(
            source="tf.config.set_logical_device_configuration after tf.ones(1) with TensorFlow 2.21.0",
            exception="RuntimeError",
            message="Virtual devices cannot be modified after being initialized",
        ),
    ),
    lookalikes=(
        LookAlike(
            source='tf.device("/GPU:7") with soft placement off, TensorFlow 2.21.0 on a CPU',
            exception="InvalidArgumentError",
            message="Could not satisfy device specification '/job:localhost/replica:0/task:0/device:GPU:7'. "
            "enable_soft_placement=0. Supported device types [CPU]. All available devices "
            "[/job:localhost/replica:0/task:0/device:CPU:0].",
            cause="invalid-device",
        ),
    ),
    meaning="TensorFlow fixes its devices when it first uses them. What was asked for came after that and had no "
    "effect.",
    appearance='RuntimeError "Physical devices cannot be modified after being initialized" (also Visible, Virtual; 2.0 '
    'on); where a second session asks for other GPUs, "TensorFlow device (GPU:0) is being mapped to multiple devices".',
    distinction="It is an error of order in the program, not of the GPU. A setting that was made in time and fails "
    "names a device: invalid-device.",
    confirmation="Run the test file alone: if it passes, an earlier test or import initialised the devices.",
    remedy="Configure once, in conftest.py before other imports, or by environment variables.",
    references=("https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth",),
)
