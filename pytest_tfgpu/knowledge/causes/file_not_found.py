"""A file or a checkpoint that isn't there, or can't be read."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="file-not-found",
    category="not-gpu",
    summary="A file that the program reads isn't there, or doesn't hold what was expected.",
    signatures=(
        Signature(
            "root", ("; No such file or directory",), where="message", status=("NOT_FOUND",), weight=0.85
        ),
        Signature("root", ("Unsuccessful TensorSliceReader constructor",), where="message", weight=0.85),
        Signature("root", ("Key {w} not found in checkpoint",), where="message", weight=0.85),
        Signature("root", ("SavedModel file does not exist",), where="message", weight=0.85),
        Signature(
            "root",
            (
                "corrupted record at",
                "truncated record at",
                "Checksum does not match",
                "Unable to {|synchronously} open file ({~}, errno = {#}",
                # Keras prints this of a file that isn't there as well as of one that is no zip file
                "Please ensure the file is an accessible `.keras` zip file",
            ),
            where="message",
            weight=0.85,
        ),
        Signature("excludes", ("cannot open shared object file", "ptxas", "libdevice"), where="message"),
        Signature(
            "root",
            # shapes that the program itself gives are compared before anything runs: those of a file aren't known then
            ("Restoring from checkpoint failed", "Assign requires shapes of both tensors to match"),
            where="message",
            weight=0.92,
        ),
    ),
    help=(
        Help(
            "Compare the path in the message with the working directory and with what an earlier step wrote."
        ),
        Help("Write damaged record files anew.", sure=False),
    ),
    examples=(
        Example(
            source='tf.io.read_file("/nonexistent") with TensorFlow 2.21.0',
            exception="NotFoundError",
            message="{{function_node __wrapped__ReadFile_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "/nonexistent; No such file or directory [Op:ReadFile]",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/tensorflow/issues/57623",
            exception="InternalError",
            message="libdevice not found at ./libdevice.10.bc",
            cause="cuda-toolkit-not-found",
        ),
    ),
    meaning="TensorFlow was asked to read a file, a checkpoint or a record that is missing or damaged.",
    appearance='NotFoundError "<path>; No such file or directory", "Unsuccessful TensorSliceReader constructor", "Key '
    'X not found in checkpoint"; DataLossError "corrupted record at N". A checkpoint of another model: "Assign '
    'requires shapes of both tensors to match" (1.x).',
    distinction="NotFoundError is also the class of operations without a kernel and of convolutions without an "
    "algorithm; those name an operation, not a path. Shared libraries that can't be opened are cuda-library-missing.",
    confirmation="Look at the path with ls, from the working directory of the test.",
    remedy="Correct the path, or make the file in a fixture.",
    references=("https://www.tensorflow.org/guide/checkpoint",),
)
