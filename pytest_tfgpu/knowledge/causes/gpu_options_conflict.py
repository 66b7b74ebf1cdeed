"""Options for GPUs that TensorFlow can't combine."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="gpu-options-conflict",
    category="code",
    summary="The program sets options for its GPUs that TensorFlow can't combine.",
    signatures=(
        Signature(
            "root",
            (
                "Memory growth cannot differ between GPU devices",
                "Cannot set memory growth on device when virtual devices configured",
                "Cannot configure virtual devices when memory growth is set",
                "set per_process_gpu_memory_fraction when virtual_devices is set",
                "Setting memory limit is required for GPU virtual devices",
                "must be specified for all virtual devices",
            ),
            weight=0.92,
        ),
    ),
    rivals=("gpu-configured-too-late",),
    help=(
        Help(
            "Set the same growth for all visible GPUs, or hide the others first (tf.config.set_visible_devices); "
            "TF_FORCE_GPU_ALLOW_GROWTH=true turns it on for all.",
            needs=("text:cannot differ",),
        ),
        Help(
            "Choose one of the two: memory growth, or logical devices with a limit of their own.",
            needs=("text:irtual",),
        ),
    ),
    examples=(
        Example(
            source="https://github.com/zzh8829/yolov3-tf2/pull/225",
            exception="ValueError",
            message="Memory growth cannot differ between GPU devices",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.config.set_logical_device_configuration after tf.ones(1) with TensorFlow 2.21.0",
            exception="RuntimeError",
            message="Virtual devices cannot be modified after being initialized",
            cause="gpu-configured-too-late",
        ),
    ),
    meaning="Options for several GPUs, or of several kinds, contradict one another. TensorFlow looks at them together "
    "when it first uses a GPU; so the error may come far from the line that set them.",
    appearance='ValueError "Memory growth cannot differ between GPU devices" (2.0 on) on machines with more than one '
    'GPU, where growth was set for the first alone; "Cannot set memory growth on device when virtual devices '
    'configured".',
    distinction="Options that come too late are gpu-configured-too-late. With one GPU, or with the others hidden, the "
    "same program passes.",
    confirmation="Run it with CUDA_VISIBLE_DEVICES=0: a difference between GPUs can't be any more.",
    remedy="Loop over tf.config.list_physical_devices('GPU') and set growth for each; use either growth or limits.",
    references=("https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth",),
)
