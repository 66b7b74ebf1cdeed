"""The simulated machine, for the example in CONTRIBUTING."""

from __future__ import annotations

from tests.simulated.conftest import simulated_gpu, workshop

__all__ = ["simulated_gpu", "workshop"]
