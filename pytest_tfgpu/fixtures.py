"""The fixtures. TensorFlow is imported in their bodies only, on behalf of the test that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu.session import get

if TYPE_CHECKING:
    from pytest_tfgpu.model import CheckResult, Facts, Preflight


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
        from pytest_tfgpu.markers import BY_NAME

        marker = name if name.startswith("requires_") else f"requires_{name}"
        if marker not in BY_NAME:
            known = ", ".join(known.removeprefix("requires_") for known in BY_NAME)
            raise ValueError(f"unknown requirement {name!r}, known are: {known}")
        mark: pytest.Mark = getattr(pytest.mark, marker)(*arguments, **keywords).mark
        requirement = build(mark)
        self._machine.expect(requirement)
        found = requirement.found(self._machine)
        if found is not None:
            open_gate(self._config, self._session)
            turn_away(mark, requirement, found, strict=self._session.settings.strict)


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
        for result in results:
            if result.outcome != "passed":
                raise CheckFailed(f"check {result.name} {result.outcome}: {result.message}", result.diagnosis)
        return results

    return smoke


class DeviceWarning(pytest.PytestWarning):
    """An operation that a test asked for on a GPU ran somewhere else."""


@pytest.fixture
def gpu_device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A `tf.device` for the first GPU that this process sees; the test is skipped where there is none.

    During the test TensorFlow is watched. It silently runs an operation somewhere else where that has no GPU kernel,
    or where the GPU asked for doesn't exist: then the test gets a warning that names both devices, a
    `pytest_tfgpu.fixtures.DeviceWarning`. Operations that don't compute with floating-point or complex numbers are
    left out, and of a `tf.function` only the first run tells.
    """
    from pytest_tfgpu.features.machine import LocalMachine
    from pytest_tfgpu.requirements import NoGpu

    try:
        LocalMachine(request.config, get(request.config)).gpus()
    except NoGpu as error:
        pytest.skip(f"gpu_device: found {error}")
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        pytest.skip("gpu_device: TensorFlow lists no GPU")
    from pytest_tfgpu.features.placement import Placement

    placement = Placement()
    placement.start()
    yield tf.device("/GPU:0")
    for sentence in placement.stop():
        request.node.warn(DeviceWarning(sentence))
