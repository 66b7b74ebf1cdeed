"""The settings: one row each, from which the command line, the environment, the ini file and the help are made.

A value comes from the command line, else the environment, else the ini file, else the default. A source replaces the
one below it; nothing is merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from pytest_tfgpu import parsing

if TYPE_CHECKING:
    import pytest

IniKind = Literal["flag", "integer", "number", "text", "lines"]
Device = Literal["gpu", "cpu"]
OnBroken = Literal["abort", "skip", "warn"]

DEFAULT_CHECKS = ("device", "memory", "matmul", "conv2d", "float16", "gather")


class BadSetting(ValueError):
    """A setting with a value that can't be used; the text names where it came from and what was expected."""


class Settings(NamedTuple):
    """The settings of a session, resolved."""

    preflight: bool = False
    preflight_overlap: bool = False
    preflight_cache: float = 0.0
    preflight_timeout: float = 120.0
    require: int | Literal["all"] = 0
    on_broken: OnBroken = "abort"
    checks: tuple[str, ...] = DEFAULT_CHECKS
    device: Device = "gpu"
    diagnose: bool = True
    strict: bool = False
    gpus_per_worker: int = 1
    workers_per_gpu: int | None = None
    lock: bool = False
    memory: int = 0
    rerun: tuple[str, ...] = ()
    report: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data, for an xdist worker."""
        return self._asdict()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """Build the settings that `to_json` gave; lists become tuples again."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in data.items()
            if key in cls._fields
        }
        return cls(**values)


# ------------------------------------------------------------------------------------------------ rows


class Setting(NamedTuple):
    """One row: how a setting is called, read and explained."""

    name: str
    """As on the command line, without `--tfgpu-`: `preflight-timeout`."""
    parse: Callable[[str], Any]
    """Gives the value of a text; a ValueError means that the text is not one."""
    expected: str
    """What a good value is: completes "expected ..."."""
    help: str
    ini: IniKind = "text"
    metavar: str | None = None

    @property
    def field(self) -> str:
        """The name of its field in `Settings`."""
        return self.name.replace("-", "_")

    @property
    def option(self) -> str:
        """The command line option."""
        return f"--tfgpu-{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"TFGPU_{self.field.upper()}"

    @property
    def ini_name(self) -> str:
        """The ini option."""
        return f"tfgpu_{self.field}"


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "preflight",
        parsing.flag,
        "yes or no",
        "before the session, run the checks on each visible GPU in a child process",
        ini="flag",
    ),
    Setting(
        "preflight-overlap",
        parsing.flag,
        "yes or no",
        "run the checks while pytest collects; for suites that take no GPU memory while they are imported (on the CPU "
        "it is always so)",
        ini="flag",
    ),
    Setting(
        "preflight-cache",
        parsing.seconds_or_none,
        "a number of seconds, or 0",
        "use a verdict 'ok' of the last so many seconds again, where driver, libraries, GPUs, TensorFlow and settings "
        "are unchanged (default: 0, run the checks each time)",
        ini="number",
        metavar="SECONDS",
    ),
    Setting(
        "preflight-timeout",
        parsing.seconds,
        "a number of seconds above 0",
        "time limit of the checks, per GPU (default: 120)",
        ini="number",
        metavar="SECONDS",
    ),
    Setting(
        "require",
        parsing.count_or_all,
        "a number of GPUs or 'all'",
        "how many usable GPUs there must be; with fewer the session ends with exit status 69 (absent) or 70 "
        "(unusable). Turns the preflight on",
        ini="integer",
        metavar="N|all",
    ),
    Setting(
        "on-broken",
        parsing.one_of(get_args(OnBroken)),
        "abort, skip or warn",
        "when a GPU is there and fails the preflight: end the session (abort, the default), skip the tests that "
        "need a GPU (skip), or only say so (warn)",
        metavar="ACTION",
    ),
    Setting(
        "checks",
        parsing.names,
        "names of checks, separated by commas",
        f"which checks the preflight runs (default: {','.join(DEFAULT_CHECKS)})",
        metavar="NAMES",
    ),
    Setting(
        "device",
        parsing.one_of(get_args(Device)),
        "gpu or cpu",
        "run the checks on the GPUs (default) or on the CPU, to try the plugin out where there is no GPU",
        metavar="DEVICE",
    ),
    Setting(
        "diagnose",
        parsing.flag,
        "yes or no",
        "explain failures that TensorFlow caused (default: yes)",
        ini="flag",
    ),
    Setting(
        "strict",
        parsing.flag,
        "yes or no",
        "fail tests whose requirements are unmet, instead of skipping them",
        ini="flag",
    ),
    Setting(
        "gpus-per-worker",
        parsing.count,
        "a number of GPUs from 1 on",
        "how many GPUs each pytest-xdist worker sees (default: 1)",
        ini="integer",
        metavar="N",
    ),
    Setting(
        "workers-per-gpu",
        parsing.count,
        "a number of workers from 1 on",
        "how many pytest-xdist workers '-n auto' puts on a GPU (default: by its free memory)",
        ini="integer",
        metavar="N",
    ),
    Setting(
        "lock",
        parsing.flag,
        "yes or no",
        "keep other pytest runs on this machine that have this setting off the GPUs of this one; a run that finds "
        "none left waits",
        ini="flag",
    ),
    Setting(
        "memory",
        parsing.count,
        "a number of tests from 0 on",
        "read after each test how much GPU memory TensorFlow held at most, and name that many tests at the end "
        "(default: 0, which reads nothing)",
        ini="integer",
        metavar="N",
    ),
    Setting(
        "rerun",
        parsing.names,
        "ids of causes, separated by commas",
        "rerun the tests that failed of these causes, and no others, through pytest-rerunfailures: once, or as often "
        "as --reruns says",
        metavar="CAUSES",
    ),
    Setting(
        "report",
        parsing.report,
        "FORMAT:PATH, with one of the formats json, html, markdown, github (or 'none')",
        "write a report, such as json:tfgpu.json; may be given more than once. 'github' (step summary and "
        "annotations) is on by itself under GitHub Actions, 'none' silences it",
        ini="lines",
        metavar="FORMAT:PATH",
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare every setting on pytest's command line and in its ini file."""
    from pytest_tfgpu._compat import ini_type

    group = parser.getgroup("tfgpu", "TensorFlow on GPUs (pytest-tfgpu)")
    for row in SETTINGS:
        if row.ini == "flag":
            group.addoption(row.option, dest=row.ini_name, action="store_const", const="yes", help=row.help)
            group.addoption(
                f"--no-tfgpu-{row.name}",
                dest=row.ini_name,
                action="store_const",
                const="no",
                help=f"switch {row.option} off",
            )
        else:
            action = "append" if row.ini == "lines" else "store"
            group.addoption(row.option, dest=row.ini_name, action=action, metavar=row.metavar, help=row.help)
        parser.addini(row.ini_name, row.help, type=ini_type(row.ini), default=None)


def _value(row: Setting, raw: object, source: str) -> Any:
    """Parse what a source gave. Raises BadSetting."""
    texts = [str(item) for item in raw] if isinstance(raw, (list, tuple)) else [str(raw)]
    values = []
    for text in texts:
        try:
            values.append(row.parse(text))
        except ValueError as error:
            told = row.ini == "lines" and str(error)  # these parsers say themselves what they expected
            raise BadSetting(f"{source}: {told or f'expected {row.expected}, got {text!r}'}") from None
    return tuple(values) if row.ini == "lines" else values[0]


def _given(row: Setting, config: pytest.Config, environ: Mapping[str, str]) -> tuple[object, str] | None:
    """Return what the first source that speaks says, and the name of this source."""
    from pytest_tfgpu._compat import ini_value

    given = config.getoption(row.ini_name, None)
    if given is not None:
        return given, row.option
    text = environ.get(row.variable)
    if text is not None and text.strip():
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return (lines if row.ini == "lines" else text), f"environment variable {row.variable}"
    source = f"ini option {row.ini_name}"
    try:
        written = ini_value(config, row.ini_name)
    except ValueError as error:
        raise BadSetting(f"{source}: expected {row.expected} ({error})") from None
    return None if written is None else (written, source)


def resolve(
    config: pytest.Config, environ: Mapping[str, str] | None = None
) -> tuple[Settings, dict[str, str]]:
    """Read every setting from its sources; return them, and where each that was given comes from.

    Raises BadSetting for a value that can't be used.
    """
    from pytest_tfgpu.nesting import own_environment

    environ = own_environment() if environ is None else environ
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for row in SETTINGS:
        given = _given(row, config, environ)
        if given is not None:
            values[row.field], sources[row.field] = _value(row, *given), given[1]
    if values.get("require"):
        values["preflight"] = True
    return Settings(**values), sources
