"""Op determinism is on and there is no deterministic GPU kernel."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="determinism-unsupported",
    category="operation",
    summary="Determinism is switched on, and this operation can't be done deterministically.",
    signatures=(
        Signature(
            "root",
            (
                "Deterministic GPU implementation of",
                "deterministic GPU implementation of {} is not",
                "Determinism is not yet supported",
                "would have been executed is not deterministic",
                "not have a deterministic {GPU |XLA |}implementation",
                "when determinism is enabled",
                "do not yet have a deterministic XLA implementation",
                "determinism is enabled, random ops must have a seed",
                "deterministic implementation, but run-to-run determinism is required",
                "not supported when determinism is enabled",
            ),
            weight=0.93,
        ),
        Signature(
            "root",
            ("has no deterministic implementation", "Deterministic mode is{|n't} supported"),
            weight=0.85,
        ),
    ),
    rivals=("op-unsupported-on-device",),
    help=(
        Help("Set a seed first: tf.random.set_seed(...).", needs=("text:seed",)),
        Help("Switch determinism off for this test, or use an operation that has a deterministic kernel."),
        Help("A newer TensorFlow has more deterministic kernels.", sure=False),
    ),
    examples=(
        Example(
            source="tf.random.normal([2]) after enable_op_determinism() with TensorFlow 2.21.0",
            exception="RuntimeError",
            message="Random ops require a seed to be set when determinism is enabled. Please set a seed before running "
            "the op, e.g. by calling tf.random.set_seed(1).",
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
    meaning="With tf.config.experimental.enable_op_determinism() or TF_DETERMINISTIC_OPS=1, TensorFlow refuses "
    "operations "
    "whose GPU kernel may give other bits each time.",
    appearance='UnimplementedError "Deterministic GPU implementation of X not available." (2.5, 2.6), "A '
    "deterministic GPU "
    'implementation of X is not currently available." (2.7 on), "Determinism is not yet supported in ..."; '
    "RuntimeError "
    "for random operations without a seed, on any device.",
    distinction="The text names determinism; without the switch the same operation runs.",
    confirmation="Run the test with the switch off.",
    remedy="Replace the operation, run it on the CPU, or don't ask for determinism in this test.",
    references=("https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism",),
)
