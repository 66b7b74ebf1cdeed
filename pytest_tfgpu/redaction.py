"""What must not stand in a report that others read: secrets, and the names of home directories."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pytest_tfgpu.model import Report
from pytest_tfgpu.records import with_texts

MASK = "***"
"""What stands in place of a secret."""

_SECRET_WORDS = (
    "SECRET", "PASSWD", "PASSWORD", "PASSPHRASE", "APIKEY", "API_KEY", "ACCESSKEY", "ACCESS_KEY", "PRIVATEKEY",
    "PRIVATE_KEY", "CREDENTIAL",
)  # fmt: skip
"""What the name of a variable holds whose value is secret; beside TOKEN, and AUTH and PAT as words of their own."""
_SHORTEST = 8
"""Characters of the shortest value that is taken for a secret: shorter ones are words."""

_RULES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("://",), r"(?<=://)[^/\s@]+(?=@)", MASK),
    (
        ("=",),
        r"""(?i)((?:^|[?&;,\s"'])(?:[\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key|signature|credential)|sig|key)=)"""
        r"""[^&;,\s"'#]{6,}""",
        rf"\1{MASK}",
    ),
    (("earer", "EARER", "asic", "ASIC"), r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{16,}", rf"\1{MASK}"),
    (
        ("/home/", "/Users/", "Users\\"),
        r"""((?<![\w.~-])(?:/home/|/Users/|[A-Za-z]:\\{1,2}Users\\{1,2}))[^/\\\s:;,"'<>|()]+""",
        rf"\1{MASK}",
    ),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_\w{20,}", MASK),
    (("github_pat_",), r"\bgithub_pat_\w{20,}", MASK),
    (("glpat-",), r"\bglpat-[\w-]{16,}", MASK),
    (("hf_",), r"\bhf_[A-Za-z0-9]{30,}", MASK),
    (("pypi-",), r"\bpypi-[\w-]{40,}", MASK),
    (("npm_",), r"\bnpm_\w{30,}", MASK),
    (("sk-",), r"\bsk-[\w-]{20,}", MASK),
    (("xox",), r"\bxox[a-z]-[\w-]{10,}", MASK),
    (("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", MASK),
    (("eyJ",), r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*", MASK),
)
"""Words without which a rule isn't tried, what it looks for, and what stands there then: credentials and tokens in
URLs, named values, the home directories of others, and the tokens of services that give them a form of their own."""

_REMEMBERED = 20_000


class Redactor:
    """Takes secrets and the names of home directories out of texts.

    Secrets are the values of environment variables whose names say so, credentials and tokens in URLs, and texts of
    the form of well-known tokens.
    """

    def __init__(self, environ: Mapping[str, str], *, home: str | None = None) -> None:
        """Take the secrets from `environ`, and the home directory from `home`, by default that of this user."""
        place = os.path.expanduser("~") if home is None else home  # noqa: PTH111
        self._rules = (*_homes(place), *_RULES)
        self._secrets = sorted(_secrets(environ), key=len, reverse=True)
        self._known: dict[str, str] = {}

    def text(self, value: str) -> str:
        """Return a text without secrets, with `~` for the home directory and without the names of others'."""
        found = self._known.get(value)
        if found is None:
            found = value
            for secret in self._secrets:
                found = found.replace(secret, MASK)
            for words, pattern, shown in self._rules:
                if any(word in found for word in words):
                    found = re.sub(pattern, shown, found)
            if len(self._known) < _REMEMBERED:
                self._known[value] = found
        return found

    def report(self, report: Report) -> Report:
        """Return a report in which every text is redacted."""
        tests = report.tests
        causes = {test.cause for test in tests if test.cause is not None}
        if not self._may_hold("\n".join([*causes, *(test.nodeid for test in tests)])):
            return replace(with_texts(replace(report, tests=()), self.text), tests=tests)
        return with_texts(report, self.text)

    def _may_hold(self, text: str) -> bool:
        """Whether there may be something in a text to be taken out: most names of tests hold nothing."""
        words = (word for words, _, _ in self._rules for word in words)
        return any(word in text for word in (*self._secrets, *words))


def _homes(home: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield rules for the home directory, as it is named and as it is."""
    for place in dict.fromkeys((home, os.path.realpath(home)) if home else ()):
        place = place.rstrip("/\\")
        if len(place) > 1:
            yield (place,), rf"(?<![\w.~-]){re.escape(place)}(?![\w.-])", "~"


def _secrets(environ: Mapping[str, str]) -> Iterable[str]:
    """Return the values that the names of their variables say are secret; of several lines each.

    A path that exists is where a secret is kept, not a secret.
    """
    found: dict[str, None] = {}
    for name, value in environ.items():
        if _is_secret(name) and not os.path.exists(value):  # noqa: PTH110
            found.update(dict.fromkeys(line.strip() for line in value.splitlines()))
    return [value for value in found if len(value) >= _SHORTEST]


def _is_secret(name: str) -> bool:
    """Whether the name of an environment variable says that its value is secret."""
    name = name.upper()
    if "TOKEN" in name.replace("TOKENI", "") or any(word in name for word in _SECRET_WORDS):
        return True
    words = "".join(letter if "A" <= letter <= "Z" else " " for letter in name).split()
    return "AUTH" in words or "PAT" in words
