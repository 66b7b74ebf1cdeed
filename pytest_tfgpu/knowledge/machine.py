"""Texts of what stands around TensorFlow: the system, the driver's tools, job schedulers, containers."""

from __future__ import annotations

DRIVER_ABSENT = (
    "{libnvidia-fatbinaryloader|libnvidia-ml|libnvidia-ptxjitcompiler}{w} cannot open shared object file",
    "cuInit: CUresult(-1)",
    "NVIDIA-SMI couldn't find libnvidia-ml",
    "Module nvidia not found",
    "could not insert 'nvidia",
    "The NVIDIA Driver was not detected",
    "nvidia-smi: command not found",
    "NVML: Driver Not Loaded",
    "NVML Shared Library Not Found",
    "nvml error: driver not loaded",
)
"""What the loader, nvidia-smi, NVML and modprobe say where no driver is installed, or a part of it isn't there."""

HOST_ENDED = (
    "oom-kill event",
    "Exceeded {job|step} memory limit",
    "exceeded memory limit ({#} > {#})",
    "cgroup out-of-memory handler",
    "OOMKilled",
    "paging file is too small",
    "possibly out of memory",
    "Perhaps out of memory?",
    "excessive memory usage causing the Operating System to kill",
    "workers are out of shared memory",
    "array is too big; `arr.size * arr.dtype.itemsize` is larger",
    "memory usage exceeds the limit",
    "killed by the OOM killer",
    "Not enough memory resources are available to process this command",
)
"""Slurm, Kubernetes, Windows and others say that the host's memory ran out."""

HOST_PERHAPS = (
    "{returncode|exitcode|code|status} {=|}-9",
    "terminated by signal {9|SIGKILL}",
    "signal SIGKILL",
    "posix_memalign failed",
    "tcmalloc: large alloc",
)
"""A process was ended from outside, or asked for much, as it happens where the host's memory runs out."""
