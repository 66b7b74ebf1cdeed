"""What is true on this machine, found out without importing TensorFlow and without starting CUDA."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from pytest_tfgpu.model import Facts, Gpu, Library

T = TypeVar("T")


def collect_facts(environ: Mapping[str, str] | None = None, *, nvml_timeout: float = 2.0) -> Facts:
    """Gather the facts of this machine for a process whose environment is `environ` (by default this one's).

    NVML is asked in a child process and given `nvml_timeout` seconds. Never raises: what can't be found out
    stands in `unknown`, with the reason.
    """
    from pytest_tfgpu.environment import driver, libraries, process, tensorflow_build, toolkit
    from pytest_tfgpu.environment.nvml import Answer, Question

    environ = dict(os.environ if environ is None else environ)
    unknown: dict[str, str] = {}

    def attempt(fact: str, collector: Callable[[], T], otherwise: T) -> T:
        try:
            return collector()
        except Exception as error:
            unknown[fact] = f"It could not be read ({type(error).__name__}: {error})."
            return otherwise

    question = Question(environ, nvml_timeout)
    build = attempt("tensorflow", lambda: tensorflow_build.collect(sys.path), tensorflow_build.Build())
    nothing: tuple[Library, ...] = ()
    found, later = attempt("libraries", lambda: libraries.collect(build, environ), (nothing, nothing))
    tools = attempt("on_demand", lambda: toolkit.collect(build, environ), nothing)
    system = attempt("platform", lambda: process.platform_name(environ), None)
    answer = attempt("nvml", question.answer, Answer())
    state = attempt("driver", lambda: driver.collect(answer), driver.Driver())
    by_name = {library.name.partition(".so.")[0]: library for library in found}
    if build.unknown:
        unknown["tensorflow"] = build.unknown
    if len(build.owners) > 1:
        names = " and ".join(build.owners)
        unknown["tensorflow_distribution"] = f"{names} are installed over one another."
    unknown.update(state.unknown)
    visible = attempt("visible_gpus", lambda: _visible(state.gpus, environ, unknown), None)
    return Facts(
        tensorflow=build.version,
        tensorflow_distribution=build.distribution,
        tensorflow_path=str(build.folder) if build.folder else None,
        is_cuda_build=build.is_cuda_build,
        python=platform.python_version(),
        platform=system,
        driver=state.driver,
        driver_cuda=state.driver_cuda,
        cuda=libraries.version_of(by_name.get("libcudart"), 2),
        cudnn=libraries.version_of(by_name.get("libcudnn"), 3),
        built_for=build.built_for,
        gpus=state.gpus,
        visible_gpus=visible,
        gpu_processes=state.processes,
        memory_growth=process.memory_growth(environ),
        libraries=found,
        on_demand=(*later, *tools),
        device_files=state.device_files,
        nvml_error=state.nvml_error,
        environment=process.variables(environ),
        ci=process.ci_system(environ),
        unknown=unknown,
    )


def renewed(
    facts: Facts, environ: Mapping[str, str] | None = None, *, nvml_timeout: float = 2.0
) -> Facts | None:
    """Return facts of this machine with the free memory, the health and the processes of its GPUs as they are now.

    None where NVML doesn't give them, whole and in time. Never raises.
    """
    from pytest_tfgpu.environment import driver
    from pytest_tfgpu.environment.nvml import Question

    try:
        answer = Question(dict(os.environ if environ is None else environ), nvml_timeout).answer()
        state = driver.collect(answer)
    except Exception:
        return None
    if answer.reason or not state.gpus:
        return None
    now = {(gpu.index, gpu.uuid): gpu for gpu in state.gpus}
    gpus = []
    for gpu in facts.gpus:
        seen = now.get((gpu.index, gpu.uuid), gpu)
        gpus.append(replace(gpu, memory_free_mib=seen.memory_free_mib, health=seen.health))
    return replace(facts, gpus=tuple(gpus), gpu_processes=state.processes)


def _visible(
    gpus: tuple[Gpu, ...], environ: Mapping[str, str], unknown: dict[str, str]
) -> tuple[int, ...] | None:
    """Return the positions of the visible GPUs; None where the GPUs are unknown. Notes a doubtful order."""
    from pytest_tfgpu.environment import visibility

    value = environ.get("CUDA_VISIBLE_DEVICES")
    if visibility.hides_all(value):
        return ()
    if not gpus and {"nvml", "driver"} & unknown.keys():
        return None
    if len({gpu.name for gpu in gpus}) > 1 and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        unknown["visible_gpus"] = "CUDA may number unlike GPUs in another order than the driver."
    return visibility.visible_positions(gpus, value)
