"""The lines of `tfgpu doctor` for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pytest_tfgpu.cli._terminal import Style, clean, wrap
from pytest_tfgpu.environment.presence import Presence
from pytest_tfgpu.model import Facts, Finding, Gpu, Library, Preflight
from pytest_tfgpu.reporters.terminal import preflight_lines

_LABEL = 12
_PLATFORMS = {
    "linux": "Linux",
    "macos": "macOS",
    "windows": "Windows",
    "wsl": "WSL",
    "docker": "Linux in a container",
    "colab": "Colab",
    "jetson": "Jetson",
}


def render(
    facts: Facts,
    state: Presence,
    found: tuple[Finding, ...],
    preflight: Preflight,
    *,
    width: int,
    style: Style,
) -> list[str]:
    """Return the lines: the facts as a table, the findings, and the answer: the checks' or a sentence."""
    lines = []
    for label, value in _facts(facts):
        first, *rest = wrap(value, width - _LABEL)
        lines.append((style.paint("strong", label) if label else "") + " " * (_LABEL - len(label)) + first)
        lines += [" " * _LABEL + line for line in rest]
    for finding in found:
        lines += ["", *_finding(finding, width, style)]
    if preflight.libraries_loaded:
        lines += ["", *_loaded(preflight, width, style)]
    if preflight.verdict != "not-asked":
        told = replace(preflight, findings=())
        return [*lines, "", *preflight_lines(told, width=width, markup=style.markup)]
    role, sentence = _answer(state, found)
    first, *rest = wrap(sentence, width)
    return [*lines, "", style.paint(role, first), *(style.paint(role, line) for line in rest)]


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    platform = _PLATFORMS.get(facts.platform or "", facts.platform or "unknown platform")
    yield (
        "machine",
        ", ".join(filter(None, [platform, f"Python {facts.python}", facts.ci and f"CI: {facts.ci}"])),
    )
    yield "TensorFlow", _tensorflow(facts)
    if facts.built_for and facts.built_for.compute_capabilities:
        yield "", f"kernels for {', '.join(map(clean, facts.built_for.compute_capabilities))}"
    yield "driver", _driver(facts)
    for position, gpu in enumerate(facts.gpus):
        hidden = facts.visible_gpus is not None and position not in facts.visible_gpus
        yield (
            f"GPU {position if gpu.index is None else gpu.index}",
            _gpu(gpu) + (" (hidden)" if hidden else ""),
        )
    for process in facts.gpu_processes:
        memory = f", {process.memory_mib} MiB" if process.memory_mib is not None else ""
        yield "", f"process {process.pid} ({clean(process.name or 'unnamed')}) on GPU {process.gpu}{memory}"
    label = "libraries"
    for library in _libraries(facts):
        yield label, library
        label = ""
    label = "variables"
    for name, value in facts.environment.items():
        yield label, f"{name}={clean(value)}"
        label = ""


def _tensorflow(facts: Facts) -> str:
    if facts.tensorflow is None:
        return clean(facts.unknown.get("tensorflow", "unknown"))
    text = f"{facts.tensorflow} ({facts.tensorflow_distribution or 'unknown distribution'})"
    if facts.built_for is None:
        return text + (", built without CUDA" if facts.is_cuda_build is False else "")
    return f"{text}, built for CUDA {facts.built_for.cuda or '?'} and cuDNN {facts.built_for.cudnn or '?'}"


def _driver(facts: Facts) -> str:
    if facts.driver is None:
        library = next((entry for entry in facts.libraries if entry.name == "libcuda.so.1"), None)
        found = (
            f"libcuda {library.version or '(version unknown)'}" if library and library.path else "none found"
        )
        return clean(f"{found}. {facts.unknown.get('nvml', '')}".rstrip())
    return facts.driver + (f", supports CUDA up to {facts.driver_cuda}" if facts.driver_cuda else "")


def _gpu(gpu: Gpu) -> str:
    parts = [clean(gpu.name or "unnamed")]
    if gpu.compute_capability:
        parts.append(f"compute capability {gpu.compute_capability}")
    if gpu.memory_total_mib is not None and gpu.memory_free_mib is not None:
        parts.append(f"{gpu.memory_free_mib} of {gpu.memory_total_mib} MiB free")
    if gpu.compute_mode not in (None, "default"):
        parts.append(f"compute mode {gpu.compute_mode}")
    return ", ".join(parts)


def _libraries(facts: Facts) -> Iterator[str]:
    if facts.libraries and all(library.path is None for library in facts.libraries):
        yield f"none of the {len(facts.libraries)} that TensorFlow would open is found"
        return
    listed = (*facts.libraries, *facts.on_demand)
    longest = max((len(library.name) for library in listed), default=0)
    for library in listed:
        if library.path is None:
            yield f"{library.name:<{longest}}  not found"
        else:
            origin = f"from {library.provider}" if library.provider else library.path
            built = f" (built for {library.built_for})" if _differs(library) else ""
            version = f"{library.version or 'version unknown'}{built}"
            yield f"{library.name:<{longest}}  {version:<12} {clean(origin)}"


def _loaded(preflight: Preflight, width: int, style: Style) -> Iterator[str]:
    """Yield what the preflight's child had loaded of NVIDIA's libraries."""
    label = "loaded"
    longest = max(len(entry.name) for entry in preflight.libraries_loaded)
    for entry in preflight.libraries_loaded:
        text = f"{entry.name:<{longest}}  {entry.version or 'version unknown':<12} {clean(entry.path or '')}"
        first, *rest = wrap(text, width - _LABEL)
        yield (style.paint("strong", label) if label else "") + " " * (_LABEL - len(label)) + first
        yield from (" " * _LABEL + line for line in rest)
        label = ""


def _differs(library: Library) -> bool:
    """Whether the version found is another than that which TensorFlow was built for."""
    return bool(library.version and library.built_for and library.version != library.built_for)


def _finding(finding: Finding, width: int, style: Style) -> Iterator[str]:
    cause = f" [{finding.cause}]" if finding.cause else ""
    first, *rest = wrap(f"{finding.severity}: {clean(finding.summary)}{cause}", width, "  ")
    yield style.paint(finding.severity, finding.severity) + first[len(finding.severity) :]
    yield from rest
    for line in finding.evidence:
        origin = f"{line.origin}: " if line.origin else ""
        yield from wrap(f"  {origin}{clean(line.text)}", width, "    ")
    for help_ in finding.help:
        lead = "help" if help_.sure else "worth a try"
        text = clean(help_.text)
        yield from [f"  {lead}: {text}"] if _is_command(text) else wrap(f"  {lead}: {text}", width, "    ")


def _is_command(text: str) -> bool:
    """Whether a help is a line to type, which stays whole; sentences begin with a capital."""
    return text[:1].islower()


def _answer(state: Presence, found: tuple[Finding, ...]) -> tuple[str, str]:
    if state.status == "present" and not any(finding.severity == "error" for finding in found):
        gpus = "a GPU" if state.gpus in (None, 1) else f"{state.gpus} GPUs"
        return "good", f"TensorFlow should find {gpus} here; --preflight proves it."
    if state.status == "absent":
        return "info", "There is no GPU here for TensorFlow to use."
    if state.status == "unclear":
        return "warning", "Whether there is a GPU here is not known; --preflight finds out."
    return "error", "TensorFlow can't use the GPU here."
