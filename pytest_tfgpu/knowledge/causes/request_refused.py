"""A remote service refused or couldn't be reached: a quota, a message size, a connection."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="request-refused",
    category="not-gpu",
    summary="A remote service refused a request or couldn't be reached; memory and GPU have no part in it.",
    signatures=(
        Signature(
            "root",
            (
                "Quota exceeded",
                "check quota",
                "exceeded your current quota",
                "Too Many Requests",
                "rate limit",
                "Received message larger than max",
                "Sent message larger than max",
                "trying to send message larger than max",
                "libcurl code",
                "Error executing an HTTP request",
                "failed to connect to all addresses",
                "Socket closed",
                "Connection reset by peer",
                "Additional GRPC error information",
                "googleapis.com",
            ),
            where="message",
            weight=0.93,
        ),
        Signature(
            "root", exceptions=("google.api_core.exceptions.ResourceExhausted", "RpcError"), weight=0.9
        ),
        Signature("excludes", ("Collective ops is aborted", "NCCL", "nccl"), weight=0.7),
        Signature("root", ("429 ",), where="message", exceptions=("ResourceExhausted",), weight=0.9),
    ),
    help=(
        Help(
            "Look at the service's quota, at the connection, or at the peer's own log: this process only waited."
        ),
        Help("Keep calls of remote services out of tests, or mark them.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/serving/issues/1382",
            message="gRPC: Received message larger than max (32243844 vs. 4194304)",
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
    meaning="RESOURCE_EXHAUSTED, UNAVAILABLE and ABORTED are status codes of gRPC, too: cloud services and "
    "TensorFlow's "
    "own servers use them for quotas, for messages that are too large and for lost connections.",
    appearance='ResourceExhausted "429 Quota exceeded ...", ResourceExhaustedError "Received message larger than max '
    '(N vs. 4194304)", UnavailableError "Socket closed", AbortedError "... Error executing an HTTP request: libcurl '
    'code ...".',
    distinction="Memory that ran out is said as OOM with a shape and an allocator. Errors of NCCL between GPUs are "
    "collective-failure.",
    confirmation="The message names the service, an address or a quota.",
    remedy="Raise the quota or the message size, repair the connection, look why the peer ended.",
    references=("https://grpc.io/docs/guides/status-codes/",),
)
