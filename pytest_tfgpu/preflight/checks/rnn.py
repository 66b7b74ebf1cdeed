"""Proves that a recurrent layer (LSTM) is right in float32: on a GPU by cuDNN, as Keras does it there."""

from __future__ import annotations

from typing import Any

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(name="rnn", run=f"{__name__}:run", summary="A recurrent layer is right (cuDNN).")
ORDER = None

TOLERANCE = 1e-4
"""Seven steps of sums over 28 products and of functions that devices compute to a few units in the last place."""
STEPS, BATCH, INPUTS, UNITS = 7, 5, 12, 16


def reference(inputs: Any, weights: Any, recurrent: Any, bias: Any) -> Any:
    """Return all outputs of an LSTM (gates in the order input, forget, cell, output) that starts at zero."""
    import numpy as np

    def sigmoid(values: Any) -> Any:
        return 1 / (1 + np.exp(-values))

    state = cell = np.zeros((inputs.shape[1], recurrent.shape[0]))
    outputs = []
    for step in inputs.astype(np.float64):
        gates = np.split(
            step @ weights.astype(np.float64) + state @ recurrent.astype(np.float64) + bias, 4, axis=1
        )
        enter, forget, output = (sigmoid(gates[number]) for number in (0, 1, 3))
        cell = forget * cell + enter * np.tanh(gates[2])
        state = output * np.tanh(cell)
        outputs.append(state)
    return np.stack(outputs)


def by_cudnn(tf: Any, inputs: Any, weights: Any, recurrent: Any, bias: Any) -> Any:
    """Run the LSTM with cuDNN, which takes one flat vector: each gate's weights transposed, then two biases each."""
    matrices = [*tf.split(weights, 4, axis=1), *tf.split(recurrent, 4, axis=1)]
    flat = [tf.reshape(tf.transpose(matrix), [-1]) for matrix in matrices]
    zero = tf.zeros([1, BATCH, UNITS])
    result = tf.raw_ops.CudnnRNN(
        input=inputs,
        input_h=zero,
        input_c=zero,
        params=tf.concat([*flat, tf.zeros([4 * UNITS]), bias], 0),
        rnn_mode="lstm",
        is_training=False,
    )
    return result.output


def by_tensorflow(tf: Any, inputs: Any, weights: Any, recurrent: Any, bias: Any) -> Any:
    """Run the LSTM with TensorFlow's own kernel."""
    zero = tf.zeros([BATCH, UNITS])
    none = tf.zeros([UNITS])
    result = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.constant(STEPS, tf.int64),
        x=inputs,
        cs_prev=zero,
        h_prev=zero,
        w=tf.concat([weights, recurrent], 0),
        wci=none,
        wcf=none,
        wco=none,
        b=bias,
    )
    return result.h


def run(context: Context) -> None:
    """Run a random LSTM over random sequences and compare each output with NumPy in float64."""
    import numpy as np

    rng, tf = context.rng, context.tf
    inputs = rng.standard_normal((STEPS, BATCH, INPUTS)).astype(np.float32)
    weights = (rng.standard_normal((INPUTS, 4 * UNITS)) / 3).astype(np.float32)
    recurrent = (rng.standard_normal((UNITS, 4 * UNITS)) / 4).astype(np.float32)
    bias = rng.standard_normal(4 * UNITS).astype(np.float32)
    compute = by_tensorflow if "CPU" in context.device else by_cudnn
    with tf.device(context.device):
        result = compute(tf, *(tf.constant(values) for values in (inputs, weights, recurrent, bias)))
    context.compare(
        "outputs", result, reference(inputs, weights, recurrent, bias), "float32", tolerance=TOLERANCE
    )
