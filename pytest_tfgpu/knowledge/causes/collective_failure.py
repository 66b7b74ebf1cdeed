"""NCCL or multi-GPU communication failed."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="collective-failure",
    category="environment",
    summary="Communication between GPUs or workers (NCCL, collectives) failed.",
    signatures=(
        Signature(
            "root",
            (
                "Error invoking NCCL",
                "NCCL: {unhandled|invalid|internal|remote|system}",
                "NCCL operation {w} failed",
                "NCCL Error",
                "ncclUnhandledCudaError",
                "ncclSystemError",
                "ncclInternalError",
                "unhandled {cuda|system} error",
                "remote process exited or there was a network error",
                "Collective has timed out",
                "Collective ops is aborted by",
                "no peering could be enabled",
                "CUDA_ERROR_{TOO_MANY_PEERS|PEER_ACCESS_UNSUPPORTED|PEER_ACCESS_NOT_ENABLED}",
                "peer mapping resources exhausted",
                "current incarnation doesn't match with one in the group",
                "Barrier timed out",
                "is joining a group with {size|type}",
            ),
            weight=0.85,
        ),
        Signature("root", ops=("Nccl*",), needs=("no-kernels",), unless=("no-gpu-listed",), weight=0.85),
        Signature(
            "root",
            (
                "NCCL WARN",
                "transport/{p2p|shm|net|net_ib|net_socket|coll_net}.{cu|cc}:{#} WARN",
                "{init|bootstrap|enqueue|channel|ring}.{cu|cc}:{#} WARN",
                "include/{core|socket|shm|alloc|nvmlwrap}.h:{#} WARN",
            ),
            weight=0.6,
        ),
        Signature("follows", ops=("Nccl*", "Collective*"), weight=0.45),
        Signature("follows", ("Unable to enable peer access",), weight=0.3),
        Signature("follows", texts.IOMMU_FAULT, weight=0.4),
        Signature("root", ("Op type not registered 'Nccl{w}",), weight=0.85),
        Signature("root", ("NCCL: {} Set NCCL_DEBUG",), weight=0.85),
        Signature("excludes", needs=("fault-earlier",), weight=0.8),
        Signature("excludes", needs=("cpu-build",), weight=0.3),
        *statuses.signs("collective-failure"),
        Signature(
            "root",
            (
                "ncclComm{InitRank|InitAll|Split|Abort|GetAsyncError} failed",
                "nccl{GroupEnd|GroupStart|AllReduce|Broadcast|Send|Recv} failed",
                "Could not init NCCL",
                "Shape mismatch in the collective",
                "collective {instance|group}{} {mismatch|inconsistent|expected shape}",
                "unexpectedly disconnected",
                "Heartbeat timeout",
                "coordination service {agent|error|failed}",
            ),
            weight=0.75,
        ),
        Signature(
            "follows",
            (
                "nccl_manager.cc",
                "nccl_communicator.cc",
                "nccl_collectives.cc",
                "collective_ops.cc",
            ),
            needs=(
                "logged-by:nccl_manager.cc/nccl_communicator.cc/nccl_collectives.cc/collective_ops.cc",
                "gpu-wanted",
            ),
            weight=0.3,
        ),
    ),
    rivals=("tensorflow-defect", "host-out-of-memory"),
    help=(
        Help("Run with NCCL_DEBUG=INFO: its WARN lines name the reason."),
        Help(
            "Give the container more shared memory (--shm-size=1g).", sure=False, needs=("platform:docker",)
        ),
        Help(
            "Windows has no NCCL: use tf.distribute.HierarchicalCopyAllReduce().",
            needs=("platform:windows",),
        ),
        Help("Try NCCL_P2P_DISABLE=1 and NCCL_IB_DISABLE=1, one after the other.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/NVIDIA/pyxis/issues/60",
            message="INTERNAL:  NCCL: unhandled system error. Set NCCL_DEBUG=WARN for detail.\n\t [[node "
            "Adam/NcclAllReduce\n (defined at "
            "/usr/local/lib/python3.8/dist-packages/keras/optimizer_v2/utils.py:151)\n]]",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/brade31919/SRGAN-tensorflow/issues/27",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="Failed to create session.",
            log=(
                "E tensorflow/core/common_runtime/direct_session.cc:170] Internal: failed initializing StreamExecutor "
                "for CUDA device ordinal 0: Internal: failed call to cuDevicePrimaryCtxRetain: "
                "CUDA_ERROR_OUT_OF_MEMORY; total memory reported: 8499691520",
            ),
            cause="memory-held-by-other-process",
        ),
    ),
    meaning="Several GPUs or workers exchange tensors through NCCL. Setting that up, or a transfer, failed: shared "
    "memory, "
    "network, peer access, or a worker that ended first.",
    appearance='InternalError or UnknownError "NCCL: unhandled system error. Set NCCL_DEBUG=WARN for detail." '
    '(2.x), "Error '
    'invoking NCCL: unhandled cuda error", "Collective ops is aborted by ...". On Windows "No OpKernel was '
    "registered to "
    "support Op 'NcclAllReduce'\".",
    distinction='The lines "NCCL WARN" decide. If another worker failed first, its error is the cause. One GPU alone '
    "never gives this.",
    confirmation="Run NVIDIA's nccl-tests on the same machine.",
    remedy="More shared memory in containers, working peer access (IOMMU, ACS), the right network interface "
    "(NCCL_SOCKET_IFNAME), one worker per GPU.",
    references=("https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html",),
)
