"""A disk or a quota is full."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="disk-full",
    category="not-gpu",
    summary="The disk or its quota is full; the class of the error only looks like a lack of memory.",
    signatures=(
        Signature("root", ("No space left on device",), unless=("shared-memory",), weight=0.93),
        Signature("root", ("disk quota exceeded", "Disk quota exceeded", "File too large"), weight=0.93),
        Signature("root", ("not enough space on the disk", "There is not enough space"), weight=0.9),
        Signature(
            "root",
            ("tempstate", ".data-{w}-of-"),
            where="message",
            status=("RESOURCE_EXHAUSTED",),
            unless=("allocation",),
            weight=0.85,
        ),
        Signature(
            "root",
            status=("RESOURCE_EXHAUSTED",),
            ops=("SaveV2", "SaveSlices", "Save", "WriteFile", "MergeV2Checkpoints"),
            unless=("allocation",),
            weight=0.85,
        ),
        Signature("root", needs=("path-alone",), status=("RESOURCE_EXHAUSTED",), weight=0.7),
    ),
    help=(
        Help("Free space on the volume that the message names, or write somewhere else (pytest --basetemp)."),
    ),
    examples=(
        Example(
            source="tf.io.write_file to a full file system (/dev/full) with TensorFlow 2.21.0",
            exception="ResourceExhaustedError",
            message="{{function_node __wrapped__WriteFile_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "/dev/full; No space left on device [Op:WriteFile]",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/models/issues/7142",
            exception="ResourceExhaustedError",
            message="OOM when allocating tensor with shape[500,17,17,4032] and type float on "
            "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
            cause="out-of-memory",
        ),
    ),
    meaning="A file couldn't be written because its volume or the user's quota is full. TensorFlow turns that into "
    "ResourceExhaustedError, the class that out-of-memory errors have, too.",
    appearance='ResourceExhaustedError "...; No space left on device" or "disk quota exceeded", mostly from saving a '
    "checkpoint (SaveV2). TensorFlow 1.x prints the file's name only. In graph mode TensorFlow adds its hint at "
    "tensor allocations to this, too; it means nothing here.",
    distinction='An allocation that fails says "OOM when allocating tensor". /dev/shm is memory, not a disk: '
    "host-out-of-memory.",
    confirmation="df -h and df -i for the volume of the path in the message, quota for the user.",
    remedy="Free space, keep fewer checkpoints, point temporary folders to a larger volume.",
    references=("https://www.tensorflow.org/api_docs/python/tf/errors/ResourceExhaustedError",),
)
