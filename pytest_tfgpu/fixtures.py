"""The fixtures. TensorFlow is imported in their bodies only, on behalf of the test that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_tfgpu.session import get

if TYPE_CHECKING:
    from pytest_tfgpu.features.tensorflow_state import GpuMemory
    from pytest_tfgpu.model import CheckResult, Facts, Preflight

__all__ = [
    "deterministic_ops",
    "gpu_device",
    "gpu_memory",
    "gpu_memory_growth",
    "gpu_smoke",
    "mixed_precision",
    "tensor_float_32",
    "tfgpu",
]
"""The fixtures, as the plugin takes them over."""


class Tfgpu:
    """What the plugin knows of this machine, and the requirements by name."""

    def __init__(self, config: pytest.Config) -> None:
        from pytest_tfgpu.features.machine import LocalMachine

        self._config = config
        self._session = get(config)
        self._machine = LocalMachine(config, self._session)

    @property
    def facts(self) -> Facts:
        """The facts of this machine, gathered without importing TensorFlow."""
        return self._session.facts

    @property
    def preflight(self) -> Preflight:
        """The verdict of the preflight, `not-asked` where there was none."""
        return self._session.preflight

    def require(self, name: str, /, *arguments: Any, **keywords: Any) -> None:
        """Skip the running test unless a requirement is met: `tfgpu.require("cudnn", ">=9.1")`.

        `name` is that of a marker, with or without `requires_`. Raises TypeError or ValueError where it is unknown or
        its arguments are wrong.
        """
        from pytest_tfgpu.features.gate import build, open_gate, turn_away
        from pytest_tfgpu.markers import REQUIREMENTS

        marker = name if name.startswith("requires_") else f"requires_{name}"
        if marker not in REQUIREMENTS:
            known = ", ".join(known.removeprefix("requires_") for known in REQUIREMENTS)
            raise ValueError(f"unknown requirement {name!r}, known are: {known}")
        mark: pytest.Mark = getattr(pytest.mark, marker)(*arguments, **keywords).mark
        requirement = build(mark)
        self._machine.expect(requirement)
        found = requirement.found(self._machine)
        if found is not None:
            open_gate(self._config, self._session)
            turn_away((mark,), requirement, found, strict=self._session.settings.strict)


class CheckFailed(AssertionError):
    """A check of `gpu_smoke` failed; carries the diagnosis that the report shows."""

    def __init__(self, text: str, diagnosis: Any = None) -> None:
        super().__init__(text)
        self.tfgpu_diagnosis = diagnosis


@pytest.fixture(scope="session")
def tfgpu(pytestconfig: pytest.Config) -> Tfgpu:
    """Facts, the preflight's verdict, and the requirements by name: `tfgpu.require("cudnn", ">=9.1")`."""
    return Tfgpu(pytestconfig)


@pytest.fixture
def gpu_smoke(pytestconfig: pytest.Config) -> Callable[..., list[CheckResult]]:
    """Run the preflight's checks, or those named, in a child process; a failing one fails the test.

    A check that this machine gives nothing to check skips the test, with the reason (`collective` on one GPU).
    `gpu_smoke("conv2d", "float16")` returns the results, one `CheckResult` per device and check.
    """
    from pytest_tfgpu.features.failures import look_at_tests
    from pytest_tfgpu.features.machine import LocalMachine

    look_at_tests(pytestconfig)
    machine = LocalMachine(pytestconfig, get(pytestconfig))

    def smoke(*names: str) -> list[CheckResult]:
        preflight = machine.run_checks(names or machine.checks)
        if not preflight.gpus:
            if preflight.verdict == "absent":
                pytest.skip(f"gpu_smoke: {preflight.reason}")
            raise CheckFailed(f"the checks could not be run: {preflight.reason}")
        results = [check for gpu in preflight.gpus for check in gpu.checks]
        untold = [check for gpu in preflight.gpus for check in gpu.checks if gpu.doubtful or not check.counts]
        for result in results:
            if result.outcome != "passed" and result not in untold:
                raise CheckFailed(f"check {result.name} {result.outcome}: {result.message}", result.diagnosis)
        for result in untold:
            if result.outcome != "passed":
                pytest.skip(f"gpu_smoke: check {result.name} was not run: {result.message}")
        return results

    return smoke


class DeviceWarning(pytest.PytestWarning):
    """An operation that a test asked for on a GPU ran somewhere else."""


@pytest.fixture
def gpu_device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A `tf.device` for a GPU: the first that is usable and as the test's `requires_gpu` asks; skips without one.

    During the test TensorFlow is watched. It silently runs an operation somewhere else where that has no GPU kernel,
    or where the GPU asked for doesn't exist: then the test gets a warning that names both devices, a
    `pytest_tfgpu.fixtures.DeviceWarning`. Operations that don't compute with floating-point or complex numbers are
    left out, and of a `tf.function` only the first run tells.
    """
    number = _need_gpu(request)
    import tensorflow as tf

    from pytest_tfgpu.features.placement import Placement

    placement = Placement()
    placement.start()
    yield tf.device(f"/GPU:{number}")
    for sentence in placement.stop():
        request.node.warn(DeviceWarning(sentence))


class StateWarning(pytest.PytestWarning):
    """A setting of TensorFlow that a fixture changed could not be put back."""


@pytest.fixture
def gpu_memory_growth(request: pytest.FixtureRequest) -> Iterator[None]:
    """TensorFlow takes GPU memory as it needs it, instead of nearly all at once.

    TensorFlow changes this only before it initialises the GPUs, at the first operation of the process. A test that
    comes later is skipped with that reason (`--tfgpu-strict`: fails), unless memory growth is on anyway. A test that
    initialises the GPUs leaves it on, since nothing can put it back, and gets a `pytest_tfgpu.fixtures.StateWarning`
    that says so. For a whole session set TF_FORCE_GPU_ALLOW_GROWTH=true.
    """
    _need_gpu(request)
    from pytest_tfgpu.features import tensorflow_state

    try:
        with tensorflow_state.memory_growth() as left:
            yield
    except tensorflow_state.NotPossible as error:
        _turn_away(request, str(error))
    for sentence in left:
        request.node.warn(StateWarning(sentence))


@pytest.fixture
def tensor_float_32() -> Iterator[Callable[[bool], None]]:
    """A function that allows TensorFloat-32 or forbids it, for this test: `tensor_float_32(False)`.

    With it, GPUs from compute capability 8.0 on compute products and convolutions of float32 with 10 bits of mantissa.
    It holds from the call to the end of the test, then it is as it was before. Needs no GPU.
    """
    from pytest_tfgpu.features import tensorflow_state

    with tensorflow_state.tensor_float_32() as allow:
        yield allow


@pytest.fixture
def deterministic_ops(request: pytest.FixtureRequest) -> Iterator[None]:
    """Operations give the same results in each run, or fail where they can't; TensorFlow's global seed is 0.

    Both are put back after the test. A `tf.function` that ran before keeps the kernels that it was built with. Where
    this TensorFlow has no way to switch op determinism off again, the test is skipped, and nothing is changed. Needs
    no GPU.
    """
    from pytest_tfgpu.features import tensorflow_state

    try:
        with tensorflow_state.deterministic_ops():
            yield
    except tensorflow_state.NotPossible as error:
        _turn_away(request, str(error))


@pytest.fixture
def mixed_precision() -> Iterator[Callable[[Any], None]]:
    """A function that sets Keras' global dtype policy, for this test: `mixed_precision("mixed_float16")`.

    Layers that are made from the call to the end of the test have that policy; then it is as it was before. Needs no
    GPU.
    """
    from pytest_tfgpu.features import tensorflow_state

    with tensorflow_state.mixed_precision() as choose:
        yield choose


@pytest.fixture
def gpu_memory(request: pytest.FixtureRequest) -> GpuMemory:
    """What TensorFlow's allocator holds of a GPU, in bytes: `gpu_memory.peak` during the test, and `current`.

    The GPU is that of `gpu_device`; asking for it initialises the GPUs. `gpu_memory.reset()` forgets the peak so far.
    Where there is no GPU the test is skipped.
    """
    number = _need_gpu(request)
    from pytest_tfgpu.features.tensorflow_state import GpuMemory

    return GpuMemory(f"GPU:{number}")


def _need_gpu(request: pytest.FixtureRequest) -> int:
    """Return the number of the GPU for this test; skip it where this process has none that TensorFlow lists."""
    from pytest_tfgpu.features.machine import LocalMachine
    from pytest_tfgpu.requirements import NoGpu

    machine = LocalMachine(request.config, get(request.config))
    try:
        machine.gpus()
    except NoGpu as error:
        pytest.skip(f"{request.fixturename}: found {error}")
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        pytest.skip(f"{request.fixturename}: TensorFlow lists no GPU")
    from pytest_tfgpu.features.devices import ordinal

    return ordinal(request.node, machine)


def _turn_away(request: pytest.FixtureRequest, found: str) -> NoReturn:
    """Skip the test, or fail it with `--tfgpu-strict`, where TensorFlow doesn't do what the fixture is for."""
    reason = f"{request.fixturename}: found {found}"
    if get(request.config).settings.strict:
        pytest.fail(f"{reason} (--tfgpu-strict)", pytrace=False)
    pytest.skip(reason)
