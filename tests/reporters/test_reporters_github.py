"""The step summary and the annotations for GitHub Actions."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sample_reports import FULL, HOSTILE, MISMATCH, NOT_ASKED, OK, UNUSABLE, diagnosed, hostile, report

from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Help, Preflight, Report, Skip, TestResult
from pytest_tfgpu.reporters.github import SUMMARY_LIMIT, append_summary, render, step_summary
from pytest_tfgpu.reporters.github_annotations import LIMIT, annotation_lines

OWN_TAGS = set(re.findall(r"\w+", "h3 h4 p strong em details summary code pre ul li table tr th td"))


class Tags(HTMLParser):
    """Collects elements and text, and whether each element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.attributes: list[object] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that begins."""
        self.seen.add(tag)
        self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Note an element that ends."""
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        """Refuse comments: we write none."""
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def as_shown(markdown: str) -> Tags:
    """Return what a Markdown renderer makes of `markdown`, with links, tables and raw HTML as on GitHub."""
    renderer = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable("table")
    return Tags(renderer.render(markdown))


# ----------------------------------------------------------------------------------------------- summary


def test_nothing_to_say() -> None:
    """A session in which nothing of ours happened leaves no summary."""
    assert render(report(outcomes={"passed": 3})) == ""


def test_text_of_a_good_session() -> None:
    """After a good preflight the summary is the verdict and the table, folded."""
    assert render(report(preflight=OK, outcomes={"passed": 2, "warnings": 1})) == (
        "<h3>TensorFlow tests: 2 passed, 1 warnings</h3>\n"
        "\n"
        "<p><strong>GPU ok</strong>: 3 checks passed on 1 GPU in 4.10 s</p>\n"
        "\n"
        "<details><summary>Checks, slowest: gather 1 min 05 s, matmul 12.0 s, device 0.31 s</summary>\n"
        "<table>\n"
        "<tr><th>GPU</th><th>check</th><th>outcome</th><th>time</th><th>error / tolerance</th></tr>\n"
        "<tr><td>0 Tesla T4</td><td>device</td><td>passed</td><td>0.31 s</td><td></td></tr>\n"
        "<tr><td></td><td>matmul</td><td>passed</td><td>12.0 s</td><td>1.2e-07 / 1.0e-05</td></tr>\n"
        "<tr><td></td><td>gather</td><td>passed</td><td>1 min 05 s</td><td>0 / 0</td></tr>\n"
        "</table>\n"
        "</details>\n"
        "\n"
    )


def test_text_of_a_cause() -> None:
    """A cause is one line that opens: evidence, note, help and the tests it hit."""
    found = diagnosed(
        "tests/test_a.py::test_big",
        MISMATCH.cause,
        MISMATCH.summary,
        evidence=MISMATCH.evidence,
        note=MISMATCH.note,
        help=MISMATCH.help,
    )
    assert render(report(outcomes={"failed": 1}, diagnoses=(found,), complete=False)) == (
        "<h3>TensorFlow tests: 1 failed (incomplete)</h3>\n"
        "\n"
        "<h4>1 test, one cause</h4>\n"
        "\n"
        "<details><summary><code>cudnn-version-mismatch</code>: <strong>1 test</strong>. "
        "cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.</summary>\n"
        "<p>standard error, line 12:</p><pre>Loaded runtime CuDNN library: 8.9.6</pre>\n"
        "<p>Every operation that uses cuDNN is affected.</p>\n"
        "<ul>\n"
        "<li>Install nvidia-cudnn-cu12 9.3.</li>\n"
        "<li>Worth a try: Take /usr/lib/cuda off LD_LIBRARY_PATH.</li>\n"
        "</ul>\n"
        "<ul>\n"
        "<li><code>tests/test_a.py::test_big</code></li>\n"
        "</ul>\n"
        "</details>\n"
        "\n"
    )


def test_text_of_skips() -> None:
    """Unmet requirements are a table, most tests first."""
    assert render(report(skips=FULL.skips)) == (
        "<h3>TensorFlow tests</h3>\n"
        "\n"
        "<details><summary>Unmet requirements</summary>\n"
        "<table>\n"
        "<tr><th>tests</th><th>requirement</th><th>required</th><th>found</th></tr>\n"
        "<tr><td>2</td><td><code>requires_cudnn</code></td><td>cuDNN &gt;=9.1</td>"
        "<td>8.9.6 (libcudnn.so.8)</td></tr>\n"
        "<tr><td>1</td><td><code>requires_gpu</code></td><td>4 GPUs</td>"
        "<td>2 GPUs (Tesla T4; Tesla T4)</td></tr>\n"
        "</table>\n"
        "</details>\n"
        "\n"
    )


def test_text_of_the_machine() -> None:
    """What the tests ran on is one line under the title, where it is known."""
    assert (
        "<p>TensorFlow 2.21.0 (tensorflow), CUDA 12.5.82 (built for 12.5.1), cuDNN 9.3.0 (built for 9), "
        "driver 555.42.06, 2 x Tesla T4</p>\n"
    ) in render(FULL)
    assert "TensorFlow</p>" not in render(replace(FULL, facts=Facts()))


def test_text_of_failures_without_a_cause() -> None:
    """Failures of no known cause are listed, folded, after those with one; unmet requirements are none of them."""
    subject = report(
        diagnoses=(diagnosed("t.py::a"),),
        tests=(
            TestResult("t.py::a", "failed", cause="out-of-memory"),
            TestResult("t.py::b", "failed"),
            TestResult("t.py::c", "error", "setup"),
            TestResult("t.py::d", "failed"),
            TestResult("t.py::e", "passed"),
        ),
        skips=(Skip("t.py::d", "requires_gpu", "2 GPUs", "1 GPU"),),
    )
    assert (
        "<details><summary>2 other failures</summary>\n<ul>\n<li><code>t.py::b</code></li>\n"
        "<li><code>t.py::c</code></li>\n</ul>\n</details>\n"
    ) in render(subject)
    assert render(report(tests=subject.tests)) == ""


def test_slowest_checks_of_several_gpus() -> None:
    """With several GPUs the slowest checks say on which, and those that took no time aren't among them."""
    assert (
        "Checks, slowest: conv2d on GPU 0 1.20 s, conv2d on GPU 1 1.20 s, device on GPU 0 0.31 s<"
        in render(report(preflight=UNUSABLE))
    )


def test_consequences_come_last() -> None:
    """What a fault of the GPU left behind stands after everything else, however many tests it hit."""
    left = [diagnosed(f"t.py::t{n}", "earlier-gpu-fault", category="hardware") for n in range(3)]
    subject = report(
        diagnoses=(
            *left,
            diagnosed("t.py::first", "gpu-fault", category="hardware"),
            diagnosed("t.py::own", "shape-mismatch", category="code"),
        )
    )
    assert [parsed(line)[1]["title"] for line in annotation_lines(subject)] == [
        "gpu-fault: 1 test",
        "shape-mismatch: 1 test",
        "earlier-gpu-fault: 3 tests",
    ]
    summary = render(subject)
    assert summary.index("<code>gpu-fault") < summary.index("<code>shape") < summary.index("<code>earlier")


def test_ended_session_shows_why() -> None:
    """Where a failed check ended the session, its evidence and help are there though no test ran."""
    text = as_shown(render(report(exit_status=70, preflight=UNUSABLE))).text
    assert text.count("cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.") == 2
    assert "conv2d on GPU 0, GPU 1" in text
    assert "Loaded runtime CuDNN library: 8.9.6" in text
    assert "Install nvidia-cudnn-cu12 9.3." in text


def test_full_summary_renders() -> None:
    """A Markdown renderer takes every element as meant and shows every part."""
    shown = as_shown(render(replace(FULL, problems=("diagnose failed: ValueError: x.",))))
    assert shown.open == []
    assert shown.seen <= OWN_TAGS
    for part in (
        "TensorFlow tests: 3 failed, 7 passed, 3 skipped",
        "Memory growth is off.",
        "2 tests and 1 test module, 2 causes",
        "tests/test_a.py::test_bigger",
        "cuDNN >=9.1",
        "pytest-tfgpu: diagnose failed: ValueError: x.",
    ):
        assert part in shown.text


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_stays_text(text: str) -> None:
    """No text becomes an element, a link, a mention or Markdown, and none ends a part early."""
    summary = render(hostile(text))
    shown = as_shown(summary)
    assert shown.open == []
    assert shown.seen <= OWN_TAGS
    assert shown.attributes == []
    assert not re.search(r"@\w", summary.replace("&", " "))
    assert "\x1b" not in summary
    assert "\x00" not in summary
    assert "\u202e" not in summary
    summary.encode("utf-8")


@pytest.mark.parametrize("text", ["| a | b |", "``` `x` ```", "**bold** _it_ ~~gone~~ # head", "&lt;b&gt;"])
def test_text_is_shown_as_it_was(text: str) -> None:
    """What means something in Markdown or HTML is shown letter for letter."""
    assert text in as_shown(render(report(diagnoses=(diagnosed("t.py::a", summary=text),)))).text


def test_commands_in_advice_are_code() -> None:
    """What stands between backticks in advice is code; a backtick alone is a letter."""
    help = (Help("Run `pip check` on a `<b>`, @you."), Help("A ` alone.", sure=False))
    summary = render(report(diagnoses=(diagnosed("t.py::a", help=help, note="See `x`."),)))
    assert "<li>Run <code>pip check</code> on a <code>&lt;b&gt;</code>, @&#8203;you.</li>" in summary
    assert "<li>Worth a try: A ` alone.</li>" in summary
    assert "<p>See <code>x</code>.</p>" in summary


def test_no_blank_line_inside_a_part() -> None:
    """Each part is one HTML block: a blank line in it would hand the rest to Markdown."""
    for block in render(replace(FULL, diagnoses=(diagnosed("a::b", note="x\n\n\n# y"),))).split("\n\n"):
        assert block.count("<details>") == block.count("</details>")
        assert not block or block.startswith("<")


def many_causes(number: int, size: int) -> Report:
    """Return a report with `number` causes, each of which quotes `size` characters."""
    quote = (EvidenceLine("\u00e9" * size, "exception"),)
    return report(
        diagnoses=tuple(diagnosed(f"t.py::t{n}", f"cause-{n:05d}", evidence=quote) for n in range(number)),
        skips=(Skip("t.py::s", "requires_gpu", "2 GPUs", "1 GPU"),),
    )


def test_summary_fits_and_says_what_was_cut() -> None:
    """A summary is at most 1 MiB; what is left out is counted, and smaller parts that still fit are kept."""
    text = render(many_causes(10_000, 1500))
    assert SUMMARY_LIMIT - 5000 < len(text.encode()) <= SUMMARY_LIMIT
    shown = text.count("<code>cause-")
    assert "<code>requires_gpu</code>" in text
    assert text.endswith(
        f"<p><em>Cut to the size that GitHub takes. Left out: {10_000 - shown} x cause.</em></p>\n\n"
    )
    rendered = as_shown(text)
    assert rendered.open == []
    assert rendered.seen <= OWN_TAGS


def test_ten_thousand_failures_of_one_cause() -> None:
    """Many failures of one cause stay one part: fifty are named, the rest is a number."""
    text = render(report(diagnoses=tuple(diagnosed(f"t.py::t{n}") for n in range(10_000))))
    assert text.count("<li><code>t.py::t") == 50
    assert "<li>and 9950 more</li>" in text
    assert "Cut to" not in text


def test_message_of_ten_megabytes() -> None:
    """A huge message is cut within its part."""
    huge = "<" * 10_000_000
    text = render(report(diagnoses=(diagnosed("t.py::a", summary=huge, evidence=(EvidenceLine(huge),)),)))
    assert len(text) < 25_000
    assert "..." in text


def test_append_keeps_what_is_there(tmp_path: Path) -> None:
    """Several runs of one step append; together they stay within what GitHub takes."""
    path = tmp_path / "summary.md"
    path.write_text("# Mine")
    append_summary(path, FULL)
    append_summary(path, FULL)
    text = path.read_text("utf-8")
    assert text.startswith("# Mine\n\n<h3>")
    assert text.count("<h3>") == 2
    for _ in range(3):
        append_summary(path, many_causes(500, 1500))
        assert path.stat().st_size <= SUMMARY_LIMIT
    assert path.read_text("utf-8").startswith(text)
    assert "Left out:" in path.read_text("utf-8")


def test_append_to_a_full_summary_changes_nothing(tmp_path: Path) -> None:
    """Where other tools have used the room up, theirs stays."""
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * SUMMARY_LIMIT)
    append_summary(path, FULL)
    assert path.stat().st_size == SUMMARY_LIMIT
    assert step_summary(FULL, room=0) == ""


# ------------------------------------------------------------------------------------------- annotations


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """Take a workflow command apart as GitHub's runner does: kind, properties, message."""
    assert "\n" not in line
    assert "\r" not in line
    match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert match is not None
    properties = dict(entry.split("=", 1) for entry in match[2].split(","))

    def plain(text: str, *more: tuple[str, str]) -> str:
        for token, character in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
            text = text.replace(token, character)
        return text

    extra = (("%3A", ":"), ("%2C", ","))
    return match[1], {name: plain(value, *extra) for name, value in properties.items()}, plain(match[3])


def test_no_annotations() -> None:
    """A session without failures annotates nothing, nor does an absent GPU that nobody required."""
    assert annotation_lines(report(preflight=OK)) == []
    assert annotation_lines(report(preflight=Preflight("absent", "No GPU."))) == []


def test_annotation_per_cause() -> None:
    """There is one annotation per cause, at the first of its tests, the machine's fault first."""
    assert annotation_lines(FULL) == [
        "::error file=tests/test_b.py,title=cudnn-version-mismatch%3A 1 test module::"
        "cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.%0AUse a smaller batch.",
        "::error file=tests/test_a.py,title=out-of-memory%3A 2 tests::"
        "GPU 0 ran out of memory.%0AUse a smaller batch."
        "%0A- tests/test_a.py::test_big%0A- tests/test_a.py::test_bigger",
        "::warning title=memory-growth-off::Memory growth is off.",
    ]


def test_annotation_at_a_line() -> None:
    """Where the line of the test is known, the annotation stands there; without a file there is no line."""
    found = replace(diagnosed("t.py::a"), line=7)
    (line,) = annotation_lines(report(diagnoses=(found,)))
    assert parsed(line)[1] == {"file": "t.py", "line": "7", "title": "out-of-memory: 1 test"}
    (line,) = annotation_lines(report(diagnoses=(replace(found, nodeid="::a"),)))
    assert parsed(line)[1] == {"title": "out-of-memory: 1 test"}


def test_annotation_of_a_broken_machine() -> None:
    """A GPU that can't be used is an error of its own where no test failed of the same cause."""
    assert annotation_lines(report(exit_status=70, preflight=UNUSABLE)) == [
        "::error title=GPU unusable::cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer. "
        "[cudnn-version-mismatch]"
    ]
    absent = report(exit_status=69, preflight=Preflight("absent", "No GPU, 1 required."))
    assert annotation_lines(absent) == ["::error title=GPU absent::No GPU, 1 required."]


def test_annotations_from_a_sub_folder() -> None:
    """Where pytest's root folder is not the repository's, files are named from the repository's."""
    assert parsed(annotation_lines(FULL, folder="python/")[0])[1]["file"] == "python/tests/test_b.py"


def test_beside_a_plugin_that_annotates_tests() -> None:
    """What another plugin points at is not pointed at again: the cause is a notice, without place or tests.

    Failures outside the call, which that plugin passes over, keep their annotation.
    """
    assert annotation_lines(FULL, beside=True) == [
        "::error file=tests/test_b.py,title=cudnn-version-mismatch%3A 1 test module::"
        "cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.%0AUse a smaller batch.",
        "::notice title=out-of-memory%3A 2 tests::GPU 0 ran out of memory.%0AUse a smaller batch.",
        "::warning title=memory-growth-off::Memory growth is off.",
    ]
    kinds = [parsed(line)[0] for line in annotation_lines(many_causes(12, 1), beside=True)]
    assert kinds == ["notice"] * LIMIT


def test_many_tests_are_named_briefly() -> None:
    """Five tests are named in an annotation, the rest is a number."""
    (line,) = annotation_lines(report(diagnoses=tuple(diagnosed(f"t.py::t{n}") for n in range(10_000))))
    _, properties, message = parsed(line)
    assert properties == {"file": "t.py", "title": "out-of-memory: 10000 tests"}
    assert message.splitlines()[-2:] == ["- t.py::t4", "and 9995 more"]


def test_at_most_ten_of_a_kind() -> None:
    """GitHub shows ten of a kind: the tenth counts the rest, for errors and warnings apart."""
    subject = replace(
        many_causes(11, 1),
        preflight=replace(NOT_ASKED, findings=tuple(Finding(f"f{n}.", "warning") for n in range(10))),
    )
    lines = annotation_lines(subject)
    kinds = [parsed(line)[0] for line in lines]
    assert kinds == ["error"] * LIMIT + ["warning"] * LIMIT
    assert lines[9] == "::error title=pytest-tfgpu::2 more: see the summary of this step."
    assert parsed(lines[-1])[2] == "f9."


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_adds_no_command(text: str) -> None:
    """Each line is the one command that was meant, with no property and no line added."""
    lines = annotation_lines(hostile(text))
    assert len(lines) == 4
    for line in lines:
        kind, properties, message = parsed(line)
        assert kind in ("error", "warning")
        assert set(properties) <= {"file", "title"}
        assert message
        assert "##[" not in line
        assert line.isprintable()
        line.encode("utf-8")


def test_percent_signs_survive() -> None:
    """What looks like an escape in a text comes out as it was."""
    (line,) = annotation_lines(report(diagnoses=(diagnosed("a%2C,b:.py::t", "c", "50%0A: 100 %, ok"),)))
    assert parsed(line)[1]["file"] == "a%2C,b:.py"
    assert parsed(line)[2].startswith("50%0A: 100 %, ok\n")
