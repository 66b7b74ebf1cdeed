"""One line that says what goes on while somebody waits."""

from __future__ import annotations

import pytest


class Progress:
    """Rewritten in place on a terminal, a plain line per step elsewhere, nothing with `-q` or without a terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self._terminal = config.pluginmanager.get_plugin("terminalreporter")
        if config.get_verbosity() < 0:
            self._terminal = None
        self._shown = ""

    def show(self, text: str) -> None:
        """Say what goes on now; the same text again costs nothing."""
        if self._terminal is None or text == self._shown:
            return
        self._shown = text
        line = f"tfgpu preflight: {text}"
        if self._terminal.isatty:
            self._terminal.rewrite(line, erase=True)
        else:
            self._terminal.ensure_newline()
            self._terminal.write_line(line)
            self._terminal.flush()

    def clear(self) -> None:
        """Leave an empty line on a terminal."""
        if self._terminal is not None and self._shown and self._terminal.isatty:
            self._terminal.rewrite("", erase=True)
            self._shown = ""
