"""The command `tfgpu`. Each module without a leading underscore, but `main`, is a sub-command of its name.

Such a module has `SUMMARY`, one line for `--help`; `configure(parser)`, which adds its arguments; and
`run(arguments)`, which returns the exit status and may raise `UsageError`. Only the module that is asked for is
imported, so it may import what it needs at its top.
"""

from __future__ import annotations


class UsageError(Exception):
    """The arguments can't be acted on: the sentence is shown, and the exit status is 2."""
