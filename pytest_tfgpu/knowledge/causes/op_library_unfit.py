"""A library of operations that was compiled for another TensorFlow."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="op-library-unfit",
    category="not-gpu",
    summary="A library of operations was compiled for another TensorFlow than the one that loads it.",
    signatures=(
        Signature(
            "root",
            (
                "undefined symbol: {_ZN10tensorflow|_ZNK10tensorflow|_ZTIN10tensorflow|_ZTVN10tensorflow}{w}",
                "undefined symbol: {_ZN4absl|_ZN15stream_executor|_ZN4tsl|_ZN3tsl}{w}",
            ),
            weight=0.85,
        ),
        Signature(
            "excludes",
            ("{site-packages|dist-packages|tensorflow_addons|tensorflow_text}{w} undefined symbol: _Z{w}",),
            weight=0.6,
        ),
    ),
    help=(
        Help(
            "Compile the library again with the TensorFlow that loads it, with the flags that "
            "tf.sysconfig.get_compile_flags() and get_link_flags() give."
        ),
        Help(
            "Or install the TensorFlow and the compiler that the library's authors name: both decide about the "
            "names of its symbols.",
            sure=False,
        ),
    ),
    examples=(
        Example(
            source="https://github.com/sjperkins/tfopgen/issues/3",
            exception="tensorflow.python.framework.errors_impl.NotFoundError",
            message="./custom.so: undefined symbol: _ZN10tensorflow8internal21CheckOpMessageBuilder9NewStringEv",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/addons/issues/470",
            exception="NotFoundError",
            message="tensorflow_addons/custom_ops/activations/_activation_ops.so: undefined symbol: "
            "_ZN10tensorflow12OpDefBuilder4AttrESs",
            cause="python-package-conflict",
        ),
    ),
    meaning="tf.load_op_library opened a library that was linked against functions of TensorFlow. This TensorFlow "
    "doesn't have them under those names: it is another version, or another compiler or C++ ABI made it.",
    appearance='NotFoundError "custom.so: undefined symbol: _ZN10tensorflow..." at tf.load_op_library, before '
    "anything is computed. Names that end in ESs are of the old C++ ABI, those with __cxx11 of the new one.",
    distinction="A package from an index that fails so was made for another TensorFlow, and another version of it "
    "helps: python-package-conflict. A missing symbol of CUDA's own (cu..., cuda...) is cuda-version-mismatch.",
    confirmation="Print tf.version.VERSION and tf.sysconfig.get_compile_flags() and compare them with how the library "
    "was built; `c++filt` makes the symbol readable.",
    remedy="Build the library in the environment that runs the tests, as a step before them.",
    references=("https://www.tensorflow.org/guide/create_op#build_the_op_library",),
)
