"""pytest-html: a column with the cause of each failure. Its explanation is in the row's details, with the traceback."""

from __future__ import annotations

import os
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import pytest

from pytest_tfgpu.session import payload

if TYPE_CHECKING:
    from pytest_tfgpu.redaction import Redactor

TITLE = "GPU cause"
_AT = 2
"""Behind the outcome and the name of the test."""
_NAME = "tfgpuCause"


class HtmlColumn:
    """Registered where pytest-html writes a report."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        cells.insert(_AT, f'<th class="sortable" data-column-type="{_NAME}">{TITLE}</th>')

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(
        self, report: pytest.TestReport | pytest.CollectReport, cells: list[str]
    ) -> None:
        if cells:  # a conftest may have taken the row out
            cells.insert(_AT, self._cell(payload(report)))

    def _cell(self, data: dict[str, object]) -> str:
        diagnosis = data.get("diagnosis")
        if not isinstance(diagnosis, dict):
            return f'<td class="col-{_NAME}"></td>'
        from pytest_tfgpu.reporters.text import clean

        cause, summary = (
            escape(clean(self._redactor.text(str(diagnosis[key])))) for key in ("cause", "summary")
        )
        return f'<td class="col-{_NAME}" title="{summary}">{cause}</td>'

    @cached_property
    def _redactor(self) -> Redactor:
        from pytest_tfgpu.redaction import Redactor

        return Redactor(os.environ)
