"""What surrounds this process: platform, continuous integration, environment variables that matter."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pytest_tfgpu.environment.files import text_of
from pytest_tfgpu.model import Facts

VARIABLES = (
    "CONDA_PREFIX",
    "CUDA_CACHE_DISABLE",
    "CUDA_CACHE_MAXSIZE",
    "CUDA_CACHE_PATH",
    "CUDA_DEVICE_ORDER",
    "CUDA_FORCE_PTX_JIT",
    "CUDA_HOME",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_MPS_PIPE_DIRECTORY",
    "CUDA_PATH",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "KERAS_BACKEND",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NCCL_DEBUG",
    "NCCL_P2P_DISABLE",
    "NCCL_SOCKET_IFNAME",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_TF32_OVERRIDE",
    "NVIDIA_VISIBLE_DEVICES",
    "TF_CPP_MAX_VLOG_LEVEL",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_CPP_VMODULE",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_CUDNN_USE_FRONTEND",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GPU_ALLOCATOR",
    "TF_GPU_THREAD_MODE",
    "TF_MIN_GPU_MULTIPROCESSOR_COUNT",
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH",
    "TF_USE_LEGACY_KERAS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
"""The variables that TensorFlow, CUDA or the loader act on. Only these are ever read into the facts."""

_CI = (
    ("GITHUB_ACTIONS", "github"),
    ("GITLAB_CI", "gitlab"),
    ("JENKINS_URL", "jenkins"),
    ("TF_BUILD", "azure"),
    ("BUILDKITE", "buildkite"),
    ("CIRCLECI", "circleci"),
    ("TEAMCITY_VERSION", "teamcity"),
    ("TRAVIS", "travis"),
    ("BITBUCKET_BUILD_NUMBER", "bitbucket"),
    ("CODEBUILD_BUILD_ID", "codebuild"),
    ("CI", "ci"),
)
_OFF = ("", "0", "false")


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return those of VARIABLES that are set, also where they are empty."""
    return {name: environ[name] for name in VARIABLES if name in environ}


def ci_system(environ: Mapping[str, str]) -> str | None:
    """Return the continuous integration system around this process; `ci` for one of unknown name."""
    return next((name for key, name in _CI if environ.get(key, "").lower() not in _OFF), None)


def memory_growth(environ: Mapping[str, str]) -> bool | None:
    """Return what TF_FORCE_GPU_ALLOW_GROWTH decides; None where the program decides."""
    return {"true": True, "false": False}.get(environ.get("TF_FORCE_GPU_ALLOW_GROWTH", ""))


def platform_name(environ: Mapping[str, str], root: Path = Path("/"), system: str = sys.platform) -> str:
    """Return linux, macos, windows, wsl, docker, colab or jetson; another system as Python names it."""
    if system == "darwin":
        return "macos"
    if system in ("win32", "cygwin"):
        return "windows"
    if not system.startswith("linux"):
        return system
    if "COLAB_RELEASE_TAG" in environ or "COLAB_GPU" in environ:
        return "colab"
    if (root / "etc/nv_tegra_release").exists() or "Jetson" in text_of(root / "proc/device-tree/model"):
        return "jetson"
    if _in_container(root):
        return "docker"
    if "microsoft" in text_of(root / "proc/sys/kernel/osrelease").lower():
        return "wsl"
    return "linux"


def _in_container(root: Path) -> bool:
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return True
    groups = text_of(root / "proc/1/cgroup")
    return any(word in groups for word in ("docker", "kubepods", "containerd", "libpod"))


def without_this_process(facts: Facts) -> Facts:
    """Return the facts as evidence about other processes: without the GPU memory that this one holds itself.

    In a container NVML may list processes by the host's numbers. Where none of those listed exists here, this one
    may be among them, and the list says nothing about others.
    """
    listed = facts.gpu_processes
    foreign = facts.platform == "docker" and not any(
        Path(f"/proc/{process.pid}").exists() for process in listed
    )
    others = () if foreign else tuple(process for process in listed if process.pid != os.getpid())
    return replace(facts, gpu_processes=others)
