"""From a failure to its likely cause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfgpu.model import Diagnosis, EvidenceLine, Facts

__all__ = ["diagnose"]


def diagnose(
    exception: BaseException | str | None = None,
    *,
    message: str = "",
    log: Iterable[str | EvidenceLine] = (),
    facts: Facts | None = None,
) -> Diagnosis | None:
    """Return the likely cause of a failure, or None where there is nothing to say.

    `exception` is the exception that was raised, or the name of its class where only texts are left;
    `message` is then
    its text. `log` holds lines printed around the failure. `facts` are those of the machine on which it
    failed.
    """
    from pytest_tfgpu.diagnosis import engine, evidence

    if isinstance(exception, BaseException):
        if not evidence.is_relevant(exception):
            return None
        return engine.diagnose(evidence.from_exception(exception, log=log), facts)
    return engine.diagnose(evidence.from_text(exception or "", message, log), facts)
