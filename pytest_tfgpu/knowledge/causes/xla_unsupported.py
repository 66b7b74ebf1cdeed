"""XLA can't compile this operation or shape."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="xla-unsupported",
    category="operation",
    summary="XLA can't compile this function: an operation, a shape or a resource in it isn't supported.",
    signatures=(
        Signature(
            "root",
            (
                "Detected unsupported operations when trying to compile",
                "OpKernel for {XLA_GPU_JIT|XLA_CPU_JIT|XLA_TPU_JIT} devices",
                "tf2xla conversion failed",
                "must be a compile-time constant",
                "must have compile-time constant inputs",
                "XLA compilation requires",
                "XLA can't deduce compile time constant",
                "is not compilable",
                "Uncompilable {operations|nodes}",
                "Asked to propagate a dynamic dimension",
                "No registered implementation for custom call",
                "located in device {} from device",
                "TensorList crossing the XLA/TF boundary",
                "not supported by XLA",
                "Could not find compiler for platform",
                "could not find registered platform with id",
                "could not find registered compiler",
                "unsupported {op|operation} in XLA",
            ),
            weight=0.9,
        ),
        Signature("root", texts.NO_COPY_OF_VARIANT, unless=("text:DatasetVariant",), weight=0.72),
        Signature("root", ("Support for {~}is not implemented in XLA", "XLA does not support"), weight=0.8),
        Signature("follows", ("xla_compile", "_XlaMustCompile=true"), where="message", weight=0.25),
        Signature("excludes", ("libdevice", "ptxas"), where="message", weight=0.6),
        Signature("excludes", ("XLA_GPU_JIT device", "not supported by XLA service"), weight=0.9),
        Signature(
            "root",
            (
                "Only ranks up to {#} are supported",
                "binary integer op '{w}'",
                "op is not supported by XLA",
                "in XLA is not",
            ),
            where="message",
            weight=0.6,
        ),
        Signature(
            "root",
            (
                "cannot be {run on|compiled by|compiled with|used with|used in} XLA",
                "{inside|outside} of {|the }XLA compiled",
            ),
            where="message",
            weight=0.75,
        ),
        Signature(
            "follows",
            ("{on|in|by|with|for|the} XLA", "XLA {compilation|compiler|cluster|computation|operation|op}"),
            where="message",
            status=("INVALID_ARGUMENT", "UNIMPLEMENTED"),
            weight=0.35,
        ),
    ),
    rivals=("tensorflow-defect", "op-unsupported-on-device"),
    help=(
        Help("Compile without XLA: jit_compile=False in model.compile or tf.function."),
        Help(
            "Keep strings, tables, prints, iterators and Python functions out of the compiled function.",
            sure=False,
        ),
        Help("Make shapes static: drop_remainder=True, fixed sizes in place of tensors.", sure=False),
    ),
    examples=(
        Example(
            source="tf.strings.as_string in tf.function(jit_compile=True) with TensorFlow 2.21.0",
            exception="InvalidArgumentError",
            message="Detected unsupported operations when trying to compile graph "
            "__inference_f_16[_XlaMustCompile=true,"
            "config_proto=13561319589895757934,executor_type=11160318154034397263] on XLA_CPU_JIT: AsString (No "
            "registered 'AsString' OpKernel for XLA_CPU_JIT devices compatible with node {{node AsString}}){{node "
            "AsString}}",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/tensorflow/issues/57623",
            log=(
                "2022-09-07 10:07:03.284157: W tensorflow/compiler/xla/service/gpu/llvm_gpu_backend/"
                "gpu_backend_lib.cc:327] libdevice is required by this HLO module but was not found at "
                "./libdevice.10.bc",
            ),
            cause="cuda-toolkit-not-found",
        ),
    ),
    meaning="With jit_compile=True (Keras 3's default where it can) the whole function is handed to XLA, which "
    "knows fewer "
    "operations than TensorFlow and wants shapes that are known when it compiles.",
    appearance='InvalidArgumentError "Detected unsupported operations when trying to compile graph ... on '
    'XLA_GPU_JIT" (2.5 '
    'on; before "Function invoked by the following node is not compilable"), "must be a compile-time constant".',
    distinction="It fails in the same way on a CPU (XLA_CPU_JIT). Missing parts of the toolkit are "
    "cuda-toolkit-not-found; an allocation in XLA, out-of-memory.",
    confirmation="The same call passes with jit_compile=False.",
    remedy="Turn compilation off for this model or function, or replace the operation that the message names.",
    references=("https://openxla.org/xla/tf2xla/tutorials/jit_compile", "https://www.tensorflow.org/xla"),
)
