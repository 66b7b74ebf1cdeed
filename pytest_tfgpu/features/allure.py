"""allure-pytest: the cause as a label of the test, and its explanation as an attachment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfgpu.model import Diagnosis


def tell(diagnosis: Diagnosis, label: str) -> None:
    """Put the cause of a failure, as a label, and why into the result of the test that allure-pytest writes now."""
    import allure

    from pytest_tfgpu.diagnosis.render import render
    from pytest_tfgpu.records import with_texts
    from pytest_tfgpu.redaction import Redactor

    shown = with_texts(diagnosis, Redactor(os.environ).text)
    allure.dynamic.label(label, shown.cause)
    allure.attach(
        "\n".join(render(shown, width=100)), name="tfgpu: cause", attachment_type=allure.attachment_type.TEXT
    )
