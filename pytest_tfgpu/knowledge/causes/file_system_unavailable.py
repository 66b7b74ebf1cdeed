"""A kind of file system that this TensorFlow doesn't have."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="file-system-unavailable",
    category="not-gpu",
    summary="This TensorFlow has no support for the file system that the path names (such as s3:// or gs://).",
    signatures=(Signature("root", ("File system scheme {} not implemented",), weight=0.93),),
    help=(
        Help(
            "Install and import the package that brings it (tensorflow-io for s3:// and others) in the same process."
        ),
        Help("Copy the files to a local path, or use Linux: some builds lack gs://.", sure=False),
    ),
    examples=(
        Example(
            source='tf.io.read_file("s3://bucket/key") with TensorFlow 2.21.0',
            exception="UnimplementedError",
            message="{{function_node __wrapped__ReadFile_device_/job:localhost/replica:0/task:0/device:CPU:0}} File "
            "system scheme 's3' not implemented (file: 's3://bucket/key') [Op:ReadFile]",
        ),
    ),
    lookalikes=(
        LookAlike(
            source='tf.cast(tf.constant(["a"]), tf.float32) with TensorFlow 2.21.0',
            exception="UnimplementedError",
            message="{{function_node __wrapped__Cast_device_/job:localhost/replica:0/task:0/device:CPU:0}} Cast "
            "string to float is not supported [Op:Cast] name: ",
            cause="unsupported-cast",
        ),
    ),
    meaning="The part of a path before :// chooses a file system. This build has none of that name: it never had, or "
    "it moved to a package of its own (s3:// left TensorFlow in 2.6).",
    appearance="UnimplementedError \"File system scheme 's3' not implemented\", all versions.",
    distinction="UnimplementedError is also the class of operations that a device lacks; those name an operation.",
    confirmation="tf.io.gfile.exists on the path fails in the same way on a CPU.",
    remedy="Install tensorflow-io in the version that fits and import it, or copy the files first.",
    references=("https://www.tensorflow.org/io",),
)
