"""Write the reference pages from the code: `python docs/generate.py`; with `--check`, only say which are stale.

What a page says stands in the code: the settings table, signatures, docstrings, the files of the causes. Prose that
only explains stands here, in the introductions.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, get_args

import report_schema

from pytest_tfgpu import fixtures, hookspecs, markers, model, preflight
from pytest_tfgpu.cli import main as command
from pytest_tfgpu.diagnosis import readings
from pytest_tfgpu.environment import known_pairs
from pytest_tfgpu.knowledge import patterns, schema
from pytest_tfgpu.knowledge.catalog import builtin_causes
from pytest_tfgpu.preflight import api
from pytest_tfgpu.reporters import builtin_reporters
from pytest_tfgpu.settings import SETTINGS, Settings

HERE = Path(__file__).resolve().parent
MADE = "<!-- Made by docs/generate.py: change the code, not this page. -->"
CATEGORIES = {
    "environment": "The machine or what is installed on it.",
    "memory": "Memory of the GPU or of the host.",
    "operation": "What TensorFlow can't do on this device.",
    "code": "The program under test.",
    "hardware": "The GPU itself.",
    "not-gpu": "Looks like the GPU, and has nothing to do with it.",
}

Pages = dict[str, str]

# --------------------------------------------------------------------------------------------------- Markdown


def plain(text: str) -> str:
    """Return text for Markdown, with its signs escaped outside of code in backticks."""
    parts = re.split(r"(`[^`\n]+`)", text)
    return "".join(part if part.startswith("`") and len(part) > 2 else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    text = re.sub(r"[\\*\[\]|]|(?<!\w)_+|_+(?!\w)", lambda match: re.sub(r"(.)", r"\\\1", match[0]), text)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def fence(text: str) -> str:
    """Return text as a block that is shown as it is."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}text\n{text.strip(chr(10))}\n{marks}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table; its cells are Markdown already."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace(chr(10), ' ') for cell in row)} |" for row in lines)


def page(title: str, *blocks: str) -> str:
    """Return a whole page."""
    return "\n\n".join([f"# {title}", MADE, *filter(None, (block.strip() for block in blocks))]) + "\n"


def prose(docstring: str | None) -> str:
    """Return a docstring as Markdown: paragraphs are joined, indented lines are code."""
    blocks = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(docstring or "")):
        if block.startswith("    "):
            blocks.append(f"```python\n{dedent(block)}\n```")
        elif block.startswith("- "):
            blocks.append("\n".join(plain(line) for line in block.split("\n")))
        elif "\n- " in block:
            head, _, rest = block.partition("\n- ")
            blocks += [plain(" ".join(head.split())), "\n".join(plain(ln) for ln in f"- {rest}".split("\n"))]
        else:
            blocks.append(plain(" ".join(block.split())))
    return "\n\n".join(blocks)


def code(value: object) -> str:
    """Return a value as inline code."""
    return f"`{value}`"


# ------------------------------------------------------------------------------------------ what stands in code


def signature(function: Callable[..., Any], *, method: bool = False) -> str:
    """Return a function's signature as it stands in the code."""
    found = inspect.signature(function)
    if method:
        found = found.replace(parameters=list(found.parameters.values())[1:])
    return str(found).replace("'", "").replace("\\", "")


def attribute_texts(cls: type) -> dict[str, str]:
    """Return the texts under the fields of a class and of those that it extends, by field."""
    found: dict[str, str] = {}
    for base in reversed([base for base in cls.__mro__[:-1] if base is not model.Record]):
        tree = ast.parse(dedent(inspect.getsource(base))).body[0]
        assert isinstance(tree, ast.ClassDef)
        found.update(_documented(tree.body))
    return found


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, after in zip(body, [*body[1:], None], strict=True):
        targets: list[ast.expr] = []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        elif isinstance(statement, ast.Assign):
            targets = statement.targets
        text = (
            after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        )
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, inspect.cleandoc(str(text))


def constants(module: ModuleType) -> dict[str, str]:
    """Return the texts under the constants of a module, by name."""
    return dict(_documented(ast.parse(inspect.getsource(module)).body))


def record(cls: type, level: int = 2) -> str:
    """Return a dataclass as a section: its docstring and a table of its fields."""
    texts = attribute_texts(cls)
    rows = []
    travels = issubclass(cls, model.Record) and cls is not model.Check
    for field in fields(cls):
        needed = field.default is MISSING and field.default_factory is MISSING
        needed |= travels and bool(field.metadata.get("always"))
        text = " ".join(texts.get(field.name, "").split())
        rows.append((code(field.name), _type(field.type, travels), "yes" if needed else "", plain(text)))
    head = ("key" if travels else "field", "type", "always there" if travels else "needed", "meaning")
    return f"{'#' * level} {cls.__name__}\n\n{prose(cls.__doc__)}\n\n{table(head, rows)}"


def _type(annotation: object, travels: bool) -> str:
    """Return a type in words; what travels as JSON has lists and objects."""
    text = str(annotation).replace(" | None", "")
    named = {"Outcome": model.Outcome, "Status": model.Status, "Severity": model.Severity}
    named |= {"Category": model.Category, "Confidence": model.Confidence, "Role": schema.Role}
    literal = re.fullmatch(r"Literal\[(.*)\]", text)
    if text in named or literal:
        values = (
            get_args(named[text])
            if text in named
            else re.findall(r"['\"](.*?)['\"]", literal[1] if literal else "")
        )
        return ", ".join(code(value or '""') for value in values)
    if not travels:
        return code(text)
    listed = re.fullmatch(r"tuple\[(.*), \.\.\.\]", text)
    if listed:
        return f"list of {code(listed[1])}"
    return "object" if text.startswith("dict[") else code(text)


# ------------------------------------------------------------------------------------------------------- pages


def settings_page() -> str:
    """Return the page of the settings."""
    defaults = Settings()
    rows = []
    for row in SETTINGS:
        forms = f"`{row.option}{'=' + row.metavar if row.metavar else ''}`".replace("|", "\\|")
        if row.ini == "flag":
            forms += f", `--no-tfgpu-{row.name}`"
        names = (code(row.variable), code(row.ini_name))
        meaning = re.sub(r" \(default: [^)]*\)", "", row.help)
        rows.append((forms, *names, row.expected, _default(getattr(defaults, row.field)), plain(meaning)))
    return page(
        "Settings",
        "A value comes from the command line, else the environment, else the ini file (`-o` counts as that), else it "
        "is the default. A source replaces the one below it; nothing is merged. A value that can't be used ends "
        "pytest with exit status 4 and a line that names where it came from.",
        "In the environment and in the ini file a setting that may be given more than once has one value per line. "
        "A pytest that is run by a test of the session (pytester) does not take over the session's `TFGPU_` "
        "variables.",
        table(("command line", "environment", "ini", "value", "default", "meaning"), rows),
        "## Formats of reports",
        table(
            ("format", "writes", "path"),
            [
                (
                    code(reporter.format),
                    plain(reporter.summary),
                    "needed" if reporter.needs_path else "optional",
                )
                for reporter in builtin_reporters()
            ],
        ),
    )


def _default(value: object) -> str:
    """Return the default of a setting as it would be written."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return code(",".join(value)) if value else "none"
    return code(f"{value:g}" if isinstance(value, float) else value)


def markers_page() -> str:
    """Return the page of the markers."""
    blocks = []
    for marker in markers.MARKERS:
        shown = signature(marker).partition(" ->")[0]
        blocks.append(f"## {marker.__name__}\n\n{fence(f'@pytest.mark.{marker.__name__}{shown}')}")
        blocks.append(prose(marker.__doc__))
    return page(
        "Markers",
        "Versions are [specifiers](https://packaging.python.org/en/latest/specifications/version-specifiers/) such as "
        '`">=9.1,<10"`, sizes are texts such as `"8 GiB"` (B, KiB, MiB, GiB, TiB, KB, MB, GB), a compute capability '
        'is `">=7.0"`.',
        "A marker stands on a function, a class or a module (`pytestmark`). Every requirement but "
        "`requires_tensorflow` implies a GPU that TensorFlow can use. With `--tfgpu-device=cpu`, `requires_dtype` and "
        "`requires_check` are answered by the CPU, and what implies a GPU otherwise is unmet. These two ask the checks "
        "that really ran; where no preflight was asked for, the checks are run once, in a child process, before the "
        "first test that needs them. No other requirement runs anything.",
        "An unmet requirement skips the test, and fails it with `--tfgpu-strict`. Wrong arguments are an error of "
        "the test module, with file, line and the marker as written.",
        "`xfail_cause` asks for nothing: it says of which cause the test may fail for now. See [known "
        "failures](../how-to/ci.md#known-failures).",
        *blocks,
    )


def fixtures_page() -> str:
    """Return the page of the fixtures."""
    tfgpu, members = fixtures.Tfgpu, []
    for name, member in vars(tfgpu).items():
        if name.startswith("_"):
            continue
        is_property = isinstance(member, property)
        function: Any = member.fget if isinstance(member, property) else member
        head = name if is_property else f"{name}{signature(function, method=True)}"
        members += [f"### `tfgpu.{head}`", prose(function.__doc__)]
    blocks = []
    first = ("tfgpu", "gpu_smoke", "gpu_device")
    for name in (*first, *(name for name in fixtures.__all__ if name not in first)):
        blocks += [f"## {name}", prose(getattr(fixtures, name).__doc__)]
        blocks += members if name == "tfgpu" else []
    return page(
        "Fixtures",
        "`tfgpu.facts` and the results of `gpu_smoke` are records: see [facts](facts.md) and [records](report.md).",
        *blocks,
    )


def hooks_page() -> str:
    """Return the page of the hooks."""
    found = [(name, item) for name, item in vars(hookspecs).items() if name.startswith("pytest_tfgpu_")]
    blocks = [
        block
        for name, item in found
        for block in (f"## {name}", fence(f"def {name}{signature(item)}"), prose(item.__doc__))
    ]
    return page(
        "Hooks",
        prose(hookspecs.__doc__),
        "A hook that raises, or that returns something else than is said here, is named in one line, and the session "
        "goes on without what it would have given. Without checks there is no preflight: a faulty "
        "`pytest_tfgpu_checks` is an error where one was asked for. See how to "
        "[write a check](../how-to/write-a-check.md) and [add a cause](../how-to/add-a-cause.md).",
        "The command `tfgpu` knows no `conftest.py`. It takes the causes of packages that have an entry point in the "
        "group `pytest_tfgpu`, which leads to an object with a function `pytest_tfgpu_causes`.",
        *blocks,
    )


def checks_page() -> str:
    """Return the page of the checks."""
    defaults = {check.name for check in preflight.default_checks()}
    rows, blocks = [], []
    for check in preflight.builtin_checks():
        module = inspect.getmodule(_target(check.run))
        assert module is not None
        by_default = "yes" if check.name in defaults else "no"
        rows.append((code(check.name), plain(check.summary), ", ".join(map(code, check.dtypes)), by_default))
        blocks += [f"## {check.name}", prose(module.__doc__), prose(_target(check.run).__doc__)]
        limits = [
            (code(name), code(f"{getattr(module, name):g}"), plain(text))
            for name, text in constants(module).items()
            if name.endswith("TOLERANCE")
        ]
        blocks.append(table(("tolerance", "relative error", "why"), limits) if limits else "")
    tolerances = [(code(dtype), code(f"{value:g}")) for dtype, value in api.TOLERANCES.items()]
    return page(
        "Checks",
        "What the preflight runs on each device. Inputs are random and fresh; the seed stands in the JSON report. "
        "Each result must lie on the device that was asked for. Soft device placement and TensorFloat-32 are off.",
        table(("check", "passes where", "proves the data type", "by default"), rows),
        *blocks,
        "## Tolerances of checks that state none",
        prose(constants(api)["TOLERANCES"]),
        table(("data type", "relative error"), tolerances),
        prose(api.relative_error.__doc__),
    )


def _target(path: str) -> Any:
    from importlib import import_module

    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def check_api_page() -> str:
    """Return the page of what a check is given."""
    methods = []
    for name in ("compare", "located", "fail"):
        function = getattr(api.Context, name)
        methods += [f"### `context.{name}{signature(function, method=True)}`", prose(function.__doc__)]
    return page("Writing checks", prose(api.__doc__), record(model.Check), record(api.Context), *methods)


def facts_page() -> str:
    """Return the page of the facts."""
    return page(
        "Facts",
        "What is true on this machine, found without importing TensorFlow and without starting CUDA. These are the "
        "keys in `tfgpu doctor --json`, in the JSON report, in `tfgpu.facts` and in what `pytest_tfgpu_facts` gives. "
        "A key whose value is not known is left out.",
        *(
            record(cls)
            for cls in (model.Facts, model.Gpu, model.Health, model.GpuProcess, model.BuiltFor, model.Library)
        ),
    )


def report_page() -> str:
    """Return the page of the JSON report."""
    records = (
        model.Report, model.Preflight, model.GpuChecks, model.CheckResult, model.LoadedLibrary, model.Finding,
        model.TestResult, model.Diagnosis, model.TestDiagnosis, model.EvidenceLine, model.Help, model.CauseCount,
        model.Skip, model.MemoryUse, model.Host,
    )  # fmt: skip
    return page(
        "JSON report",
        "`--tfgpu-report=json:PATH` writes one JSON object of schema 1, a [Report](#report). Within a schema keys are "
        "only added; please ignore those that you don't know. Keys without a value may be missing. `outcomes` counts "
        "as pytest's last line does. The same as a JSON Schema (draft 2020-12), to validate reports with: "
        "[report.schema.json](report.schema.json).",
        *map(record, records),
    )


def command_page() -> str:
    """Return the page of the command."""
    blocks = []
    for name in command.commands():
        module = _target(f"pytest_tfgpu.cli.{name}:run").__module__
        parser = argparse.ArgumentParser(prog=f"tfgpu {name}", add_help=False)
        sys.modules[module].configure(parser)
        rows = []
        for action in parser._actions:
            value = (
                f" {action.metavar or action.dest.upper()}"
                if action.option_strings and action.nargs != 0
                else ""
            )
            shown = ", ".join(action.option_strings) or str(action.metavar)
            rows.append((code(f"{shown}{value}"), plain(action.help or "")))
        blocks += [f"## tfgpu {name}", plain(sys.modules[module].SUMMARY)]
        blocks += [table(("argument", "meaning"), rows), prose(sys.modules[module].run.__doc__)]
    return page(
        "The command",
        "`tfgpu`, also `python -m pytest_tfgpu`. It imports neither TensorFlow nor pytest; `tfgpu doctor --preflight` "
        "starts TensorFlow in a child process. Exit status 2 is wrong usage, 3 a defect of the command itself.",
        *blocks,
    )


def cause_format_page() -> str:
    """Return the page of what a cause is made of."""
    functions = readings._registry()
    rows = [(code(name), plain(_first_line(functions[name]))) for name in sorted(functions)]
    return page(
        "The form of a cause",
        prose(schema.__doc__),
        "The records are in `pytest_tfgpu.knowledge.schema`; `Cause` can be imported from `pytest_tfgpu`, too.",
        *map(record, (schema.Cause, schema.Signature, schema.Help, schema.Example, schema.LookAlike)),
        f"## Roles\n\n{prose(constants(schema)['Role'])}",
        table(("role", "weight"), [(code(role), code(weight)) for role, weight in schema.WEIGHTS.items()]),
        f"## Templates\n\n{prose(patterns.__doc__)}",
        f"## Readings\n\n{prose(readings.__doc__)}",
        table(("reading", "what it says"), rows),
    )


def _first_line(function: Any) -> str:
    text = inspect.getdoc(getattr(function, "func", function)) or ""
    return " ".join(text.split("\n\n")[0].split())


def cause_page(cause: schema.Cause) -> str:
    """Return the page of one cause, with headings that are always the same."""
    blocks = [f"Category: {cause.category}.", f"**{plain(cause.summary)}**"]
    for heading, text in cause.sections:
        if heading == "References":
            text = "\n".join(f"- <{reference}>" for reference in cause.references)
        else:
            text = "\n\n".join(map(plain, text.split("\n")))
        blocks += [f"## {heading}", text or "Nothing to add."]
        if cause.rivals and heading == "How to tell it from its look-alikes":
            rivals = " and ".join(f"[{rival}]({rival}.md)" for rival in cause.rivals)
            blocks.append(f"The same evidence is often that of {rivals}.")
    blocks.append("## Examples")
    for example in cause.examples:
        blocks += [f"From {_source(example.source)}:", fence(_printed(example))]
    if not cause.examples:
        blocks.append("None is recorded yet.")
    blocks.append("## Look-alikes")
    for other in cause.lookalikes:
        true = f"is [{other.cause}]({other.cause}.md)" if other.cause else "is nothing to worry about"
        blocks += [f"This {true}. From {_source(other.source)}:", fence(_printed(other))]
    if not cause.lookalikes:
        blocks.append("None is recorded yet.")
    return page(cause.id, *blocks)


def _source(source: str) -> str:
    return f"<{source}>" if re.fullmatch(r"https?://\S+", source) else plain(source)


def _printed(example: schema.Example) -> str:
    message = ": ".join(filter(None, (example.exception, example.message)))
    return "\n".join(filter(None, (message, *example.log))) or "(the facts of the machine alone)"


def causes_index() -> str:
    """Return the index of the causes, by category."""
    blocks = []
    for category in get_args(model.Category):
        rows = [
            (f"[{cause.id}]({cause.id}.md)", plain(cause.summary))
            for cause in sorted(builtin_causes(), key=lambda cause: cause.id)
            if cause.category == category
        ]
        blocks += [f"## {category}\n\n{CATEGORIES[category]}", table(("cause", "what it is"), rows)]
    return page(
        "Causes",
        f"The {len(builtin_causes())} causes that failures are put down to. `tfgpu explain CAUSE` prints such a page.",
        *blocks,
    )


def known_pairs_page() -> str:
    """Return the page of the versions that are known not to go together."""
    names = {
        "cuda": "CUDA",
        "cudnn": "cuDNN",
        "capability": "a GPU of compute capability",
        "driver": "driver",
    }

    def source(row: known_pairs.Needs | known_pairs.Refused) -> str:
        return f"[read {row.source.read}]({row.source.url})"

    needs = [
        (
            f"{names[row.of]} {known_pairs.text(row.since)}"
            + (" and newer" if row.before >= (99,) else f" to before {known_pairs.text(row.before)}"),
            f"{names[row.part]} {known_pairs.text(row.at_least)} or newer",
            source(row),
        )
        for row in known_pairs.NEEDS
    ]
    refused = [
        (
            row.part,
            f"older than {known_pairs.text(row.before)}; {', '.join(map(known_pairs.text, row.exactly))}",
            source(row),
        )
        for row in known_pairs.REFUSED
    ]
    return page(
        "Known pairs",
        "Versions that are known not to go together, on Linux. `tfgpu doctor` and the preflight hold what they find "
        "against them. Besides, each library is held against what the installed TensorFlow was built for.",
        "## What needs what",
        table(("this", "needs", "source"), needs),
        "## What TensorFlow passes over",
        table(("program", "versions", "source"), refused),
    )


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "markers.md": markers_page,
    "fixtures.md": fixtures_page,
    "hooks.md": hooks_page,
    "checks.md": checks_page,
    "writing-checks.md": check_api_page,
    "facts.md": facts_page,
    "known-pairs.md": known_pairs_page,
    "report.md": report_page,
    "report.schema.json": lambda: report_schema.render(attribute_texts),
    "command.md": command_page,
    "cause-format.md": cause_format_page,
    "causes/index.md": causes_index,
}


def pages() -> Pages:
    """Return all pages that are made, by their path in the folder of the reference."""
    made = {name: make() for name, make in PAGES.items()}
    return made | {f"causes/{cause.id}.md": cause_page(cause) for cause in builtin_causes()}


def stale(folder: Path, made: Pages) -> list[str]:
    """Return the pages in `folder` that differ from those made, are missing, or belong to nothing any more."""
    present = {path.relative_to(folder).as_posix() for path in folder.glob("causes/*.md")}
    differ = [
        name
        for name, text in made.items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    ]
    return sorted({*differ, *(present - set(made))})


def main() -> int:
    """Write the pages, or with `--check` return 1 where one is stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 where a page is stale"
    )
    parser.add_argument("--folder", type=Path, default=HERE / "reference", help="where the pages lie")
    arguments = parser.parse_args()
    made = pages()
    outdated = stale(arguments.folder, made)
    if arguments.check:
        print("\n".join(f"stale: {name}" for name in outdated) or f"{len(made)} pages are up to date")
        return 1 if outdated else 0
    for name in outdated:
        path = arguments.folder / name
        if name in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[name], "utf-8", newline="\n")
        else:
            path.unlink()
    print(f"{len(outdated)} of {len(made)} pages written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
