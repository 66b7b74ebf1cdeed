"""The success path: what the real TensorFlow computes on a simulated GPU is right, or fails by name."""

from __future__ import annotations

import json

import pytest

from .forks import Forks
from .machine import Describe

COMPARE = """
import json, sys
import numpy as np, tensorflow as tf

tf.config.set_soft_device_placement(False)
rng = np.random.default_rng(7)

def on_gpu(function, dtype, *shapes, positive=False):
    '''Compute on the GPU and, from the same rounded inputs in float64, on the CPU; the largest relative error.'''
    inputs = [tf.constant(abs(rng.normal(size=s)) + 0.5 if positive else rng.normal(size=s)) for s in shapes]
    with tf.device("/CPU:0"):
        rounded = [tf.cast(i, dtype) for i in inputs]
        expected = function(*[tf.cast(i, tf.float64) for i in rounded]).numpy()
    with tf.device("/GPU:0"):
        result = function(*[tf.constant(i.numpy()) for i in rounded])
    assert result.device.endswith("GPU:0"), result.device
    assert result.shape == expected.shape
    got = np.asarray(result.numpy()).astype(np.float64)
    return float(np.max(np.abs(got - expected)) / max(np.max(np.abs(expected)), 1e-6))

def report(**errors):
    print(json.dumps(errors))
"""
TOLERANCE = {"float32": 1e-6, "float16": 1e-3, "bfloat16": 8e-3}
"""One rounding of the result (2^-24, 2^-11, 2^-8) and a little more."""


def errors(forks: Forks, describe: Describe, code: str) -> dict[str, float]:
    """Run code that ends in `report(...)` on a machine with one GPU and return what it reports."""
    done = forks.run(describe(), COMPARE + code)
    assert done.exit_status == 0, done.text
    assert "not simulated" not in done.stderr
    result: dict[str, float] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_convolution(forks: Forks, simulated_gpu: Describe, dtype: str) -> None:
    """conv2d is right in each layout, with strides, dilations, groups and each padding."""
    code = f"""
def conv(**options):
    return lambda x, w: tf.nn.conv2d(x, w, **options)
t = {dtype!r}
report(
    same=on_gpu(conv(strides=1, padding="SAME"), t, (2, 8, 9, 4), (3, 3, 4, 6)),
    strides=on_gpu(conv(strides=2, padding="VALID"), t, (2, 8, 9, 4), (3, 3, 4, 6)),
    dilations=on_gpu(conv(strides=1, padding="SAME", dilations=2), t, (2, 8, 9, 4), (3, 3, 4, 6)),
    point=on_gpu(conv(strides=1, padding="SAME"), t, (2, 8, 9, 4), (1, 1, 4, 6)),
    uneven=on_gpu(conv(strides=1, padding="SAME"), t, (2, 5, 6, 4), (2, 2, 4, 6)),
    large=on_gpu(conv(strides=1, padding="SAME"), t, (2, 32, 32, 16), (3, 3, 16, 16)),
)
"""
    assert max(errors(forks, simulated_gpu, code).values()) <= TOLERANCE[dtype]


def test_convolution_in_nchw(forks: Forks, simulated_gpu: Describe) -> None:
    """A convolution in NCHW, which the CPU can't do, equals the one in NHWC."""
    code = """
x, w = rng.normal(size=(2, 8, 9, 4)).astype("f"), rng.normal(size=(3, 3, 4, 6)).astype("f")
with tf.device("/GPU:0"):
    last = tf.nn.conv2d(x, w, 1, "SAME").numpy()
    first = tf.nn.conv2d(x.transpose(0, 3, 1, 2), w, 1, "SAME", data_format="NCHW").numpy()
report(nchw=float(np.max(np.abs(first.transpose(0, 2, 3, 1) - last))))
"""
    assert errors(forks, simulated_gpu, code)["nchw"] <= 1e-6


def test_gradients_of_a_convolution(forks: Forks, simulated_gpu: Describe) -> None:
    """Both gradients of a convolution are right."""
    code = """
def gradients(x, w):
    with tf.GradientTape() as tape:
        tape.watch([x, w])
        y = tf.nn.conv2d(x, w, 1, "SAME")
    return tape.gradient(y, [x, w], output_gradients=y)
shapes = (2, 8, 9, 4), (3, 3, 4, 6)
report(
    input=on_gpu(lambda x, w: gradients(x, w)[0], "float32", *shapes),
    filter=on_gpu(lambda x, w: gradients(x, w)[1], "float32", *shapes),
)
"""
    assert max(errors(forks, simulated_gpu, code).values()) <= 1e-6


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_matrix_product(forks: Forks, simulated_gpu: Describe, dtype: str) -> None:
    """A matrix product is right, also transposed and in batches."""
    code = f"""
t = {dtype!r}
report(
    plain=on_gpu(tf.matmul, t, (5, 6), (6, 7)),
    transposed=on_gpu(lambda a, b: tf.matmul(a, b, transpose_a=True, transpose_b=True), t, (6, 5), (7, 6)),
    batches=on_gpu(tf.matmul, t, (3, 5, 6), (3, 6, 7)),
)
"""
    assert max(errors(forks, simulated_gpu, code).values()) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_moving_values(forks: Forks, simulated_gpu: Describe, dtype: str) -> None:
    """Gather (in each of its kernels) and fill give the very values."""
    code = f"""
t = {dtype!r}
report(
    rows=on_gpu(lambda x: tf.gather(x, [0, 2, 1, 2]), t, (3, 8)),
    odd=on_gpu(lambda x: tf.gather(x, tf.constant([0, 2, 1], tf.int64)), t, (3, 5)),
    axis=on_gpu(lambda x: tf.gather(x, [0, 2, 1, 2], axis=1), t, (2, 3, 5)),
    batch=on_gpu(lambda x: tf.gather(x, [[0, 2], [1, 2]], axis=1, batch_dims=1), t, (2, 3, 5)),
    fill=on_gpu(lambda x: tf.fill([7], x), t, ()),
)
"""
    assert set(errors(forks, simulated_gpu, code).values()) == {0.0}


def test_casts(forks: Forks, simulated_gpu: Describe) -> None:
    """A cast from each type to each other is what the CPU's cast is, bit for bit."""
    code = """
types = [tf.float32, tf.float16, tf.bfloat16, tf.float64, tf.int32, tf.int64]
wrong = 0
for source in types:
    values = (rng.normal(size=200) * 50).astype(source.as_numpy_dtype)
    for target in types:
        with tf.device("/CPU:0"):
            expected = tf.cast(tf.constant(values), target).numpy()
        with tf.device("/GPU:0"):
            wrong += tf.cast(tf.constant(values), target).numpy().tobytes() != expected.tobytes()
report(wrong=wrong)
"""
    assert errors(forks, simulated_gpu, code)["wrong"] == 0


UNARY = ("abs", "cos", "negative", "sin", "square", "tanh", "sqrt", "math.rsqrt", "floor", "sign", "nn.relu")
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "math.squared_difference")


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_elementwise(forks: Forks, simulated_gpu: Describe, dtype: str) -> None:
    """Element-wise operations are right, whether their kernels come with TensorFlow or are compiled at run time."""
    unary = UNARY if dtype != "bfloat16" else ("abs", "negative")
    code = f"""
t = {dtype!r}
found = {{}}
for name in {unary!r}:
    function = tf
    for part in name.split("."):
        function = getattr(function, part)
    found[name] = on_gpu(function, t, (5, 7), positive=True)
for name in {BINARY!r}:
    function = tf
    for part in name.split("."):
        function = getattr(function, part)
    found[name] = on_gpu(function, t, (5, 7), (5, 7), positive=True)
report(**found)
"""
    found = errors(forks, simulated_gpu, code)
    assert {name: error for name, error in found.items() if error > TOLERANCE[dtype]} == {}


def test_broadcasting(forks: Forks, simulated_gpu: Describe) -> None:
    """An element-wise operation broadcasts scalars, rows, columns and higher ranks."""
    code = """
shapes = [((3, 4), (4,)), ((3, 4), ()), ((3, 4), (3, 1)), ((2, 3, 4), (3, 1)), ((2, 1, 4), (3, 1)), ((), ())]
report(**{str(pair): on_gpu(tf.add, "float32", *pair) for pair in shapes})
"""
    assert max(errors(forks, simulated_gpu, code).values()) <= 1e-6


def test_sums(forks: Forks, simulated_gpu: Describe) -> None:
    """Sums and maxima over everything, over rows and over columns are right."""
    code = """
cases = {str((f.__name__, axis)): on_gpu(lambda x: f(x, axis), "float32", (20, 30))
         for f in (tf.reduce_sum, tf.reduce_max) for axis in (None, 0, 1)}
report(**cases)
"""
    assert max(errors(forks, simulated_gpu, code).values()) <= 1e-6


def test_function_compiled_by_xla(forks: Forks, simulated_gpu: Describe) -> None:
    """A function that XLA compiles runs its PTX and gives the right numbers."""
    code = """
report(xla=on_gpu(tf.function(lambda a: tf.nn.relu(a) * 2 + 1, jit_compile=True), "float32", (50, 7)))
"""
    assert errors(forks, simulated_gpu, code)["xla"] <= 1e-6


def test_unknown_kernel_is_named(forks: Forks, simulated_gpu: Describe) -> None:
    """A kernel that is not simulated names itself and fails the operation; nothing passes for its result."""
    code = "import tensorflow as tf\nprint('result', (tf.constant([3.0, 4.0])[0:1]).numpy())"
    done = forks.run(simulated_gpu(), code)
    assert done.exit_status != 0
    assert "result" not in done.stdout
    assert "TensorSlicingOp" in done.stderr
    assert "is not simulated" in done.stderr


def test_unknown_descriptor_of_cudnn_is_named(forks: Forks, simulated_gpu: Describe) -> None:
    """What goes past cuDNN's backend interface names the function with which it begins, and fails."""
    code = """
import tensorflow as tf
image, one = tf.ones((2, 4, 4, 3)), tf.ones(3)
print('result', tf.compat.v1.nn.fused_batch_norm(image, one, one, is_training=True)[0].numpy())
"""
    done = forks.run(simulated_gpu(), code)
    assert done.exit_status != 0
    assert "result" not in done.stdout
    assert "simulated GPU: cudnnCreateTensorDescriptor is not simulated" in done.stderr


def test_unknown_instruction_is_named(forks: Forks, simulated_gpu: Describe) -> None:
    """A compiled kernel with an instruction that is not simulated names it and fails."""
    code = """
import tensorflow as tf
f = tf.function(lambda a: tf.reduce_sum(a), jit_compile=True)
print('result', f(tf.ones((4096,))).numpy())
"""
    done = forks.run(simulated_gpu(), code)
    assert done.exit_status != 0
    assert "result" not in done.stdout
    assert "simulated GPU: in the PTX of a kernel, not simulated: .shared" in done.stderr


def test_each_of_several_gpus_computes(forks: Forks, simulated_gpu: Describe) -> None:
    """On a machine with three GPUs each computes for itself and its results travel to the others."""
    code = """
import tensorflow as tf
parts = []
for number in range(3):
    with tf.device(f"/GPU:{number}"):
        parts.append(tf.constant([1.0, 2.0]) * float(number + 1))
print([part.device[-5:] for part in parts])
with tf.device("/GPU:2"):
    print((parts[0] + parts[1]).numpy().tolist())
"""
    done = forks.run(simulated_gpu(gpus=3), code)
    assert done.stdout == "['GPU:0', 'GPU:1', 'GPU:2']\n[3.0, 6.0]\n", done.text
