"""The limit of open files is reached."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="too-many-open-files",
    category="not-gpu",
    summary="The process has as many files open as it may; the class of the error only looks like a lack of memory.",
    signatures=(
        Signature("root", ("Too many open files",), weight=0.93),
        Signature("root", ("EMFILE", "ENFILE"), where="message", weight=0.9),
        Signature("root", needs=("path-alone",), status=("RESOURCE_EXHAUSTED",), weight=0.7),
    ),
    help=(
        Help("Raise the limit (ulimit -n) or read fewer files at a time (cycle_length of interleave)."),
        Help(
            "Close files and data sets of earlier tests: the limit counts for the whole process.", sure=False
        ),
    ),
    examples=(
        Example(
            source="tf.io.read_file with all file descriptors in use, TensorFlow 2.21.0",
            exception="ResourceExhaustedError",
            message="{{function_node __wrapped__ReadFile_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "/tmp/tmp386k35zr; Too many open files [Op:ReadFile]",
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
    meaning="Each process may have a limited number of files open. TensorFlow turns the system's refusal into "
    "ResourceExhaustedError.",
    appearance='ResourceExhaustedError "<path>; Too many open files", mostly from data sets that interleave many '
    "files.",
    distinction="Memory that ran out is said as OOM with a shape and an allocator.",
    confirmation="ulimit -n, and the number of entries in /proc/<pid>/fd while the test runs.",
    remedy="Read fewer files at once, put many small records into fewer files, or raise the limit.",
    references=("https://www.tensorflow.org/guide/data_performance",),
)
