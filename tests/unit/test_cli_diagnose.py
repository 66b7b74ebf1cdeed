"""`tfgpu diagnose`, `tfgpu explain` and `tfgpu causes`, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfgpu.cli._batch import answers
from pytest_tfgpu.cli.main import main
from pytest_tfgpu.knowledge.catalog import builtin_causes, load
from pytest_tfgpu.knowledge.schema import Cause, Signature
from pytest_tfgpu.model import Diagnosis, Facts

OOM = (
    "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with shape[8,8] and "
    "type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc [Op:Mul]"
)
LOG = f"""\
Traceback (most recent call last):
  File "train.py", line 3, in <module>
{OOM}
"""


def tfgpu(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "pytest_tfgpu", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def batch(*lines: bytes, facts: Facts | None = None) -> list[dict[str, Any]]:
    """Return the answers to lines of a batch."""
    return list(answers(lines, facts or Facts(), load()))


class TestDiagnose:
    """Logs and tracebacks."""

    def test_a_traceback_on_standard_input_is_explained(self) -> None:
        """Without arguments the log comes from standard input."""
        done = tfgpu("diagnose", stdin=LOG.encode())
        text = done.stdout.decode()
        assert (done.returncode, done.stderr) == (0, b"")
        assert text.startswith("line 1\n  Likely cause: The GPU has less memory than this workload needs.\n")
        assert "  More: tfgpu explain out-of-memory" in text

    def test_a_file_yields_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """JSON is a list of diagnoses with their lines, as the report holds them."""
        path = tmp_path / "ci.log"
        path.write_text(f"first\n{LOG}")
        assert main(["diagnose", str(path), "--json"]) == 0
        (entry,) = json.loads(capsys.readouterr().out)
        assert entry["line"] == 2
        assert Diagnosis.from_json(entry).cause == "out-of-memory"

    def test_a_log_without_known_failure_says_so(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing known is one sentence and no failure of the command."""
        path = tmp_path / "ci.log"
        path.write_bytes(b"\xff\xfe all\x00 well\n")
        assert main(["diagnose", str(path)]) == 0
        assert capsys.readouterr().out == "No failure in it whose cause is known.\n"

    def test_facts_of_the_other_machine_are_used(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The answer of `tfgpu doctor --json`, or facts alone, may be given."""
        log, facts = tmp_path / "ci.log", tmp_path / "facts.json"
        log.write_text(LOG)
        process = {"name": "notebook", "memory_mib": 9000}
        for data in ({"gpu_processes": [process]}, {"schema": 1, "facts": {"gpu_processes": [process]}}):
            facts.write_text(json.dumps(data))
            assert main(["diagnose", str(log), "--json", "--facts", str(facts)]) == 0
            assert json.loads(capsys.readouterr().out)[0]["cause"] == "memory-held-by-other-process"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["/no/such/file"], "can't read /no/such/file: No such file or directory"),
            (
                ["--facts", "/no/such/file"],
                "can't read the facts in /no/such/file: No such file or directory",
            ),
        ],
    )
    def test_what_cannot_be_read_is_a_usage_error(
        self, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A missing file is one line on standard error and exit status 2."""
        assert main(["diagnose", *arguments]) == 2
        assert said in capsys.readouterr().err

    @pytest.mark.parametrize("text", ["[]", '{"gpus": 3}', "{", "\x00", "[" * 100_000])
    def test_facts_that_are_none_are_a_usage_error(
        self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A file that holds no facts is named."""
        path = tmp_path / "facts.json"
        path.write_text(text)
        assert main(["diagnose", "--facts", str(path)]) == 2
        assert f"{path} holds no facts" in capsys.readouterr().err

    def test_text_of_a_log_cannot_steer_the_terminal(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Escapes in names and messages are shown, not sent."""
        path = tmp_path / "ci.log"
        path.write_text(f"____ test_\x1b[31mred ____\nE   {OOM} \x1b]0;title\x07\n")
        assert main(["diagnose", str(path)]) == 0
        assert "\x1b" not in capsys.readouterr().out

    def test_a_line_without_end_is_cut(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A line of many megabytes costs no more than its beginning."""
        path = tmp_path / "ci.log"
        path.write_bytes(b"x" * 5_000_000 + b"\n" + LOG.encode())
        assert main(["diagnose", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["line"] == 2


class TestBatch:
    """JSON lines in, JSON lines out."""

    def test_a_line_gets_its_answer(self) -> None:
        """The causes come best first, with category and confidence."""
        done = tfgpu("diagnose", "--batch", stdin=json.dumps({"id": "a", "message": OOM}).encode() + b"\n\n")
        answer = json.loads(done.stdout)
        assert answer["id"] == "a"
        first = answer["causes"][0]
        assert (first["id"], first["category"], first["confidence"]) == ("out-of-memory", "memory", "likely")

    def test_silence_is_an_empty_list(self) -> None:
        """Nothing known yields no cause, and nothing asked yields none either."""
        assert batch(b'{"id": 7, "message": "all well"}', b"{}") == [
            {"id": 7, "causes": []},
            {"id": None, "causes": []},
        ]

    def test_an_error_has_the_id_of_its_line(self) -> None:
        """Whoever sent the line finds it again."""
        assert batch(b'{"id": "c", "message": 3}') == [
            {"id": "c", "line": 1, "error": "message: expected a text, got int"}
        ]

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (b"{", "Expecting property name"),
            (b"[]", "expected an object, got list"),
            (b'{"message": 3}', "message: expected a text, got int"),
            (b'{"exception": []}', "exception: expected a text, got list"),
            (b'{"log": "text"}', "log: expected a list of texts"),
            (b'{"log": [1]}', "log: expected a list of texts"),
            (b'{"facts": []}', "facts: expected an object, got list"),
            (b'{"facts": {"gpus": [{"index": "x"}]}}', "facts.gpus[0].index: expected int, got str"),
            (b"\xff\xfe\x00", "utf"),
            (b"[" * 100_000, "recursion"),
        ],
    )
    def test_a_bad_line_is_answered_and_the_rest_goes_on(self, line: bytes, said: str) -> None:
        """An error names what is wrong and the line; the next line gets its answer."""
        error, good = batch(line, json.dumps({"id": "b", "message": OOM}).encode())
        assert (error["id"], error["line"]) == (None, 1)
        assert said in error["error"]
        assert good["causes"][0]["id"] == "out-of-memory"

    def test_a_lines_own_facts_go_before_those_of_the_command(self) -> None:
        """Facts of the line replace those given with --facts."""
        held = Facts.from_json({"gpu_processes": [{"name": "x", "memory_mib": 9000}]})
        common, own = batch(
            json.dumps({"message": OOM}).encode(),
            json.dumps({"message": OOM, "facts": {}}).encode(),
            facts=held,
        )
        assert common["causes"][0]["id"] == "memory-held-by-other-process"
        assert own["causes"][0]["id"] == "out-of-memory"

    @settings(max_examples=150, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["id", "exception", "message", "log", "facts", "gpus", "name"]), inner
                )
            ),
            max_leaves=12,
        )
    )
    def test_any_json_is_answered(self, data: object) -> None:
        """Whatever stands in a line, it gets one answer: causes or an error."""
        (answer,) = batch(json.dumps(data).encode())
        assert ("causes" in answer) != ("error" in answer)
        json.dumps(answer)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(min_size=1, max_size=60))
    def test_any_bytes_are_answered(self, line: bytes) -> None:
        """Bytes that are no JSON get an error line, or none where they are blank."""
        assert len(batch(line)) <= 1


class TestCatalogue:
    """What the catalogue tells."""

    @pytest.mark.parametrize("cause", [cause.id for cause in builtin_causes()])
    def test_each_cause_is_explained(self, cause: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The page holds all headings, in their order, within the width of the terminal."""
        assert main(["explain", cause]) == 0
        text = capsys.readouterr().out
        headings = [
            "What it means",
            "What it looks like",
            "How to tell it from its look-alikes",
            "How to confirm it",
        ]
        places = [text.index(f"\n{heading}\n---") for heading in [*headings, "How to fix it", "References"]]
        assert places == sorted(places)
        assert [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()] == []

    def test_a_typing_error_is_helped(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An id that is almost right is met with those that are."""
        assert main(["explain", "out-of-memroy"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("tfgpu explain: there is no cause 'out-of-memroy'; did you mean out-of-memory")

    def test_an_unknown_id_points_to_the_list(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An id like none is told where to look."""
        assert main(["explain", "zzz"]) == 2
        assert (
            capsys.readouterr().err == "tfgpu explain: there is no cause 'zzz'; `tfgpu causes` lists them\n"
        )

    def test_all_causes_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The list holds every cause under its category."""
        assert main(["causes"]) == 0
        text = capsys.readouterr().out
        assert all(f"\n  {cause.id}\n" in text for cause in builtin_causes())
        assert text.index("\nmemory:") < text.index("\n  out-of-memory\n") < text.index("\noperation:")

    def test_the_list_is_there_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Programs get id, category, summary and provider."""
        assert main(["causes", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert {row["id"] for row in rows} == {cause.id for cause in builtin_causes()}
        assert set(rows[0]) == {"id", "category", "summary", "provider"}
        assert {row["provider"] for row in rows} == {"pytest-tfgpu"}


class TestProviders:
    """Causes of other installed packages."""

    def test_causes_of_installed_packages_are_known(self, tmp_path: Path) -> None:
        """The entry-point group brings causes to the command; a faulty provider is named and left out."""
        (tmp_path / "more_causes.py").write_text(
            "from pytest_tfgpu.knowledge.schema import Cause, Signature\n"
            "def pytest_tfgpu_causes():\n"
            "    return [Cause('licence-expired', 'environment', 'It expired.', (Signature('root', ('expired',)),))]\n"
        )
        (tmp_path / "broken_causes.py").write_text("def pytest_tfgpu_causes():\n    return [1]\n")
        info = tmp_path / "more-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[pytest_tfgpu]\nmore = more_causes\nbroken = broken_causes\n")
        program = (
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from pytest_tfgpu.cli.main import main; "
        )
        program += "sys.exit(main(['explain', 'licence-expired']))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert done.stdout.startswith("licence-expired (environment)\n\nIt expired.\n")
        assert done.stderr == "tfgpu: left out: broken: expected a Cause, got int\n"


def test_a_cause_without_long_text_is_explained_shortly() -> None:
    """Another provider's cause may be no more than a summary."""
    from pytest_tfgpu.cli.explain import page

    cause = Cause("some-cause", "code", "Short.", (Signature("root", ("x",)),))
    assert page(cause, 80) == ["some-cause (code)", "", "Short."]
