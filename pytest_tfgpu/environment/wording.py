"""Words that findings share: names of things, evidence of a search, and what to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from pytest_tfgpu.model import EvidenceLine, Facts, Gpu, Help, Library

_SHOWN_FOLDERS = 8
_WHEEL_FOLDER = re.compile(r"(.*)/nvidia/([^/]+)/lib")


def build_name(facts: Facts) -> str:
    """Name the installed TensorFlow, such as `tensorflow-cpu 2.21.0`."""
    name = facts.tensorflow_distribution or "tensorflow"
    return f"{'TensorFlow' if name == 'tensorflow' else name} {facts.tensorflow or ''}".rstrip()


def gpu_name(gpu: Gpu) -> str:
    """Name a GPU, such as `GPU 0 (NVIDIA H100)`."""
    number = "GPU" if gpu.index is None else f"GPU {gpu.index}"
    return f"{number} ({gpu.name})" if gpu.name else number


def enumerate_names(names: Sequence[str]) -> str:
    """Join names as a sentence does: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def numbers(version: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: `12.5.1` gives (12, 5, 1)."""
    match = re.match(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def find_library(facts: Facts, stem: str) -> Library | None:
    """Return the record of the library whose name begins with `stem`, such as `libcudnn.so`."""
    return next((entry for entry in facts.libraries if entry.name.startswith(stem)), None)


def searched(library: Library) -> EvidenceLine:
    """Quote the folders in which a library was looked for; those of wheels, not for the driver's libraries."""
    folders = library.searched
    if library.name.startswith(("libcuda.so", "libnvidia-ml.so")):
        folders = tuple(folder for folder in folders if not re.search(r"/nvidia/|/tensorrt$", folder))
    shown = _braced(folders)
    more = len(shown) - _SHOWN_FOLDERS
    tail = f" and {more} more" if more > 0 else ""
    return EvidenceLine(", ".join(shown[:_SHOWN_FOLDERS]) + tail, f"{library.name} is not in")


def _braced(folders: Sequence[str]) -> list[str]:
    """Write the folders of wheels that lie side by side as a shell does: `site/nvidia/{cublas,cufft}/lib`."""
    groups: dict[str, list[str]] = {}
    for folder in folders:
        match = _WHEEL_FOLDER.fullmatch(folder)
        if match:
            groups.setdefault(match[1], []).append(match[2])
        else:
            groups[folder] = []
    return [
        f"{start}/nvidia/{{{','.join(parts)}}}/lib"
        if len(parts) > 1
        else f"{start}/nvidia/{parts[0]}/lib"
        if parts
        else start
        for start, parts in groups.items()
    ]


def install_tensorflow(facts: Facts) -> tuple[Help, ...]:
    """Return which flavours of TensorFlow to choose from."""
    if "no wheel" in facts.unknown.get("tensorflow", ""):
        return (Help("Use a Python that TensorFlow has wheels for, 3.10 to 3.13."),)
    return (
        Help('For NVIDIA GPUs: pip install "tensorflow[and-cuda]"'),
        Help("For CPUs only: pip install tensorflow-cpu"),
    )


def install_cuda_libraries(facts: Facts) -> tuple[Help, ...]:
    """Return how to install the CUDA libraries that the installed TensorFlow was built with."""
    flavour = facts.tensorflow_distribution or "tensorflow"
    if flavour.startswith("tf-nightly"):
        return (Help('pip install "tf-nightly[and-cuda]"'),)
    if flavour not in ("tensorflow", "tensorflow-cpu"):
        return (Help(f"Install the CUDA libraries that the provider of {flavour} names.", sure=False),)
    pin = f"=={facts.tensorflow}" if facts.tensorflow else ""
    lines = [Help(f'pip install "tensorflow[and-cuda]{pin}"')]
    if flavour == "tensorflow-cpu":
        lines.insert(0, Help("pip uninstall tensorflow-cpu"))
    return tuple(lines)


def search_also(folders: Sequence[str]) -> Help:
    """Return the line that puts folders first on the loader's search path."""
    return Help(
        f"export LD_LIBRARY_PATH={shlex.quote(':'.join(folders))}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    )


def reach_nvml(facts: Facts) -> tuple[Help, ...]:
    """Return how to get the library that is missing where the rest of the driver is there."""
    if facts.platform == "docker":
        return (Help("docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ..."),)
    return (Help("Install libnvidia-ml.so.1 in the version of the driver; drivers are packaged in parts."),)


def reach_driver(facts: Facts) -> tuple[Help, ...]:
    """Return how to make the driver reachable on this platform."""
    if facts.platform == "docker":
        begin = Help("Start the container with its GPUs: docker run --gpus all ...")
        give = "Give it the driver's libraries: NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        if facts.gpus and "nvml" not in facts.unknown:
            return (Help(give),)
        return (begin, Help(give, sure=False))
    if facts.platform == "wsl":
        return (Help("Install the NVIDIA driver on Windows (none inside WSL), then run: wsl --shutdown"),)
    if facts.platform == "colab":
        return (Help("Choose a runtime with a GPU: Runtime > Change runtime type."),)
    return (Help("Install the NVIDIA driver, restart, and see that nvidia-smi lists the GPU."),)
