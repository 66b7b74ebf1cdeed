"""Links that a terminal opens (OSC 8): from a cause to its page in the documentation.

The address is the one that the package's metadata states under `Documentation`; where it states none, and for causes
that others add, there are no links.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Mapping
from functools import cache

_PROGRAMS = ("ghostty", "hyper", "iterm.app", "rio", "tabby", "vscode", "warpterminal", "wezterm", "zed")
"""Values of TERM_PROGRAM of terminals that know these links."""
_TERMS = ("alacritty", "contour", "foot", "ghostty", "kitty", "wezterm")
"""Parts of their values of TERM."""
_VARIABLES = ("DOMTERM", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "WT_SESSION")
"""Variables that only they set."""
_VTE = 5001
"""The first version of VTE (GNOME Terminal and others) that shows them; 0.50.0 crashed."""
_ADDRESS = r"https?://[!-~]{1,2000}"


def are_known(environ: Mapping[str, str]) -> bool:
    """Whether the terminal around this process shows links; FORCE_HYPERLINK says so, or (0) that it doesn't.

    A log of continuous integration doesn't, whatever terminal its variables speak of.
    """
    forced = environ.get("FORCE_HYPERLINK")
    if forced is not None:
        return forced.strip().lower() not in ("0", "false")
    if environ.get("CI") or environ.get("TEAMCITY_VERSION"):
        return False
    vte = environ.get("VTE_VERSION", "")
    return (
        environ.get("TERM_PROGRAM", "").lower() in _PROGRAMS
        or any(name in environ.get("TERM", "").lower() for name in _TERMS)
        or any(environ.get(name) for name in _VARIABLES)
        or (vte.isdecimal() and int(vte) >= _VTE)
    )


def linker(environ: Mapping[str, str]) -> Callable[[str], str] | None:
    """Return what makes the name of a cause a link to its page; None where there can't be links."""
    if not are_known(environ) or documentation() is None:
        return None
    return _linked


def page(cause: str) -> str | None:
    """Return the address of a cause's page; None where there is none."""
    from pytest_tfgpu.knowledge.catalog import builtin_causes

    address = documentation()
    if address is None or all(known.id != cause for known in builtin_causes()):
        return None
    return f"{address.rstrip('/')}/reference/causes/{cause}.md"


@cache
def documentation() -> str | None:
    """Return where the folder `docs` can be read, as the package's metadata says; None where it doesn't."""
    try:
        stated = importlib.metadata.metadata("pytest-tfgpu").get_all("Project-URL") or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for entry in stated:
        label, _, address = str(entry).partition(",")
        if label.strip().lower() == "documentation" and re.fullmatch(_ADDRESS, address.strip()):
            return address.strip()
    return None


def _linked(cause: str) -> str:
    address = page(cause)
    return cause if address is None else f"\x1b]8;;{address}\x1b\\{cause}\x1b]8;;\x1b\\"
