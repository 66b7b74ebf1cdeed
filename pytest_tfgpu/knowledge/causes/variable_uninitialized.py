"""A variable was read before it was initialised, or after it was deleted."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="variable-uninitialized",
    category="not-gpu",
    summary="A variable or table was used before it was initialised, or after it was deleted.",
    signatures=(
        Signature("root", ("Attempting to use uninitialized value",), weight=0.9),
        Signature("root", ("Error while reading resource variable",), weight=0.88),
        Signature(
            "root", ("Could not find variable",), status=("FAILED_PRECONDITION", "NOT_FOUND"), weight=0.88
        ),
        Signature("root", ("Table not initialized", "Resource {w} does not exist"), weight=0.85),
    ),
    help=(
        Help("Create and initialise variables in the graph and session in which they are used."),
        Help("Don't mix the packages keras and tensorflow.keras in one model.", sure=False),
    ),
    examples=(
        Example(
            source="tf.compat.v1.Session().run of a variable before its initializer, TensorFlow 2.21.0",
            exception="FailedPreconditionError",
            message="Graph execution error:\n\nAttempting to use uninitialized value v\n\t [[{{node _retval_v_0_0}}]]",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/google-research/deeplab2/issues/66",
            log=(
                "2021-10-13 17:19:29.385716: E tensorflow/stream_executor/cuda/cuda_dnn.cc:362] Loaded runtime CuDNN "
                "library: 8.0.4 but source was compiled with: 8.1.0.  CuDNN library needs to have matching major "
                "version and equal or higher minor version.",
            ),
            cause="cudnn-version-mismatch",
        ),
    ),
    meaning="The value of a variable lives in a session or an eager context. It was read where it doesn't exist: "
    "before the initializer ran, in another graph or session, or after its owner was collected.",
    appearance='FailedPreconditionError "Attempting to use uninitialized value" (1.x and compat.v1), "Error while '
    'reading resource variable" (1.x, 2.0 to 2.4), "Could not find variable" (later).',
    distinction="Under XLA a cuDNN that can't be started is a FailedPreconditionError, too; it names the DNN library.",
    confirmation="The same program fails on a CPU.",
    remedy="Run the initializer in the same session, keep the object that owns the variable alive, and use one Keras.",
    references=("https://www.tensorflow.org/guide/variable",),
)
