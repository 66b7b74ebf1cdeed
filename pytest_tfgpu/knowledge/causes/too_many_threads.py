"""The limit of threads is reached."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="too-many-threads",
    category="not-gpu",
    summary="The system refused to start another thread: a limit of threads or processes is reached.",
    signatures=(
        Signature(
            "root",
            (
                "creation via pthread_create() failed",
                "pthread_create failed",
                "can't start new thread",
                "unable to create new native thread",
            ),
            weight=0.92,
        ),
        Signature(
            "root",
            ("Resource temporarily unavailable",),
            also=("{thread|threads|fork}", "std::system_error"),
            weight=0.85,
        ),
    ),
    help=(
        Help(
            "Raise the limit: ulimit -u, in a container --pids-limit, in Kubernetes the pod's limit of processes."
        ),
        Help(
            "Start fewer threads: fewer workers (-n), fewer tf.data pipelines at a time, smaller num_parallel_calls.",
            sure=False,
        ),
    ),
    examples=(
        Example(
            source="https://github.com/google-research/meta-dataset/issues/84",
            log=(
                "[F tensorflow/core/platform/default/env.cc:73] Check failed: ret == 0 (11 vs. 0)Thread "
                "tf_data_iterator_resource creation via pthread_create() failed.",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.io.read_file with all file descriptors in use, TensorFlow 2.21.0",
            exception="ResourceExhaustedError",
            message="{{function_node __wrapped__ReadFile_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "/tmp/tmp386k35zr; Too many open files [Op:ReadFile]",
            cause="too-many-open-files",
        ),
    ),
    meaning="Each user, and each container, may have a limited number of threads. TensorFlow starts some per core and "
    "more per data set; where the system grants no further one, the process aborts.",
    appearance='F "Check failed: ret == 0 (11 vs. 0) Thread ... creation via pthread_create() failed." and an abort '
    '(all versions; 11 is EAGAIN), RuntimeError "can\'t start new thread" from Python, OpenBLAS\'s "pthread_create '
    'failed for thread ...".',
    distinction='Files that can\'t be opened are said as "Too many open files" (too-many-open-files). Memory that ran '
    "out for the stacks of threads shows in the system's log (host-out-of-memory).",
    confirmation="ulimit -u, /sys/fs/cgroup/pids.max, and the number of entries in /proc/<pid>/task while the test "
    "runs.",
    remedy="Raise the limit, or start fewer threads: interleave fewer data sets, run fewer workers, set "
    "tf.config.threading and OMP_NUM_THREADS.",
    references=("https://www.tensorflow.org/api_docs/python/tf/config/threading",),
)
