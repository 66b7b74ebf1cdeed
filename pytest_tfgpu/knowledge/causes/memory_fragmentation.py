"""Enough memory is free in total, in pieces."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="memory-fragmentation",
    category="memory",
    summary="Enough GPU memory was free in total, but in pieces that were each too small.",
    signatures=(
        Signature(
            "root", (*texts.OOM, *texts.OOM_LOG), needs=("memory-in-pieces",), unless=("host-allocator",)
        ),
        Signature("confirms", needs=("memory-in-pieces",), weight=0.7),
        Signature("excludes", needs=("host-allocator",)),
        Signature("excludes", needs=("request-beyond-limit",)),
        Signature("excludes", needs=("other-framework",), weight=0.8),
    ),
    rivals=("out-of-memory", "memory-leak"),
    notes=("memory-in-pieces",),
    help=(
        Help("Set TF_GPU_ALLOCATOR=cuda_malloc_async for the run: it joins free pieces.", sure=False),
        Help(
            "Allocate the large tensors first, and keep shapes from changing from step to step.", sure=False
        ),
    ),
    examples=(
        Example(
            source="seven tensors of 128 MiB of which three were freed, then one of 320 MiB: TensorFlow 2.21.0 with "
            "a limit of 1 GiB on a simulated GPU",
            exception="ResourceExhaustedError",
            message="{{function_node __wrapped__Empty_device_/job:localhost/replica:0/task:0/device:GPU:0}} OOM when "
            "allocating tensor with shape[83886080] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by "
            "allocator GPU_0_bfc [Op:Empty] name: ",
            log=(
                "I0000 00:00:1795268289.514924    4508 bfc_allocator.cc:1105] InUse at 7ff460000500 of size "
                "134217728 next 2",
                "I0000 00:00:1795268289.514926    4508 bfc_allocator.cc:1105] Free  at 7ff468000500 of size "
                "134217728 next 3",
                "I0000 00:00:1795268289.514928    4508 bfc_allocator.cc:1105] Free  at 7ff478000500 of size "
                "134217728 next 5",
                "I0000 00:00:1795268289.514931    4508 bfc_allocator.cc:1105] Free  at 7ff488000500 of size "
                "134217728 next 7",
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
    meaning="The allocator's free memory lay in many pieces between blocks in use. No single one was large enough for "
    "the request, though their sum was.",
    appearance='The texts of out-of-memory. In the allocator\'s dump many lines "Free at ... of size ..." whose sum is '
    "larger than the request, or InUse far below Limit while the pool is as large as it may be; a last line of stars "
    "with many short gaps.",
    distinction="TensorFlow prints its hint at fragmentation with every failed allocation since 2.5: it proves "
    "nothing. "
    "Compare the largest free piece with the request. From InUse near Limit it is out-of-memory.",
    confirmation="Run with TF_GPU_ALLOCATOR=cuda_malloc_async: if the same test passes, this was it.",
    remedy="Use the asynchronous allocator (CUDA 11.2 and newer), fewer different shapes (bucketing, fixed batch "
    "size with drop_remainder), large buffers first.",
    references=("https://www.tensorflow.org/api_docs/python/tf/config/experimental/set_memory_growth",),
)
