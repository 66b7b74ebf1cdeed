"""Memory rose over the session until a test failed that fits alone."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="memory-leak",
    category="memory",
    summary="GPU memory filled up over the session: what earlier tests built was never freed.",
    signatures=(
        Signature(
            "root", (*texts.OOM, *texts.COPY_FAILED), needs=("many-graphs",), unless=("host-allocator",)
        ),
        Signature(
            "root", texts.OOM, needs=("memory-ran-out-earlier",), unless=("host-allocator",), weight=0.75
        ),
        Signature("follows", texts.OOM, needs=("small-request",), unless=("host-allocator",), weight=0.5),
        Signature("follows", texts.OOM, weight=0.21),
        Signature("follows", texts.ALLOCATOR_DUMP, where="log", needs=("chunks-pile-up",), weight=0.6),
        Signature("confirms", needs=("chunks-pile-up",), weight=0.3),
        Signature("confirms", needs=("many-graphs",), weight=0.4),
        Signature("excludes", needs=("host-allocator",)),
        Signature("excludes", needs=("request-beyond-limit",)),
        Signature("excludes", needs=("other-framework",), weight=0.8),
        Signature("excludes", needs=("other-processes",), weight=0.5),
        Signature("excludes", needs=("gpu-memory-taken-at-start",), weight=0.5),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
    ),
    rivals=("out-of-memory", "memory-fragmentation"),
    notes=("many-graphs", "memory-ran-out-earlier", "chunks-pile-up", "tensor-size"),
    help=(
        Help("Free models between tests: del the model, tf.keras.backend.clear_session(), gc.collect()."),
        Help(
            "Don't keep models, tensors or tracebacks in module globals or in fixtures of wide scope.",
            sure=False,
        ),
        Help("Make functions once: a tf.function that is made anew in each test is traced anew.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/9627",
            log=(
                "I tensorflow/core/common_runtime/bfc_allocator.cc:696] 2492 Chunks of size 802816 totalling 1.86GiB",
                "I tensorflow/core/common_runtime/bfc_allocator.cc:696] 2492 Chunks of size 3211264 totalling 7.45GiB",
                "I tensorflow/core/common_runtime/bfc_allocator.cc:700] Sum Total of in-use chunks: 9.86GiB",
            ),
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
    meaning="Graphs, variables and tensors of earlier tests are still referenced, so their memory stays in use. The "
    "test that fails is only the one that came when nothing was left.",
    appearance="The texts of out-of-memory, late in a session, often for a small tensor; names of nodes that count "
    'into the hundreds (dense_811, Variable_1955); warnings that "tf.function retracing" was triggered.',
    distinction="A test that runs out of memory alone, too, is out-of-memory. A session in which another process "
    "holds the memory is memory-held-by-other-process.",
    confirmation="Run the failing test alone: it passes. Compare nvidia-smi after each test.",
    remedy="clear_session between tests (a fixture does it for all), narrower fixture scopes, no references that "
    "outlive the test; isolate heavy tests in processes of their own.",
    references=("https://www.tensorflow.org/api_docs/python/tf/keras/backend/clear_session",),
)
