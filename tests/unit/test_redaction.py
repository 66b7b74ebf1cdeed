"""What never stands in a report: secrets, and the names of home directories."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_tfgpu.model import EvidenceLine, Facts, Preflight, Report, Skip, TestDiagnosis, TestResult
from pytest_tfgpu.redaction import Redactor

SECRET = "s3cr3t-V4lue"
NOTHING = Redactor({}, home="/home/me")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/x:/home/me", "~/x:~"),
        ("file:///home/me/x", "file://~/x"),
        ("open('/home/me')", "open('~')"),
        ("/home/bob/cuda:/usr/lib", "/home/***/cuda:/usr/lib"),
        ("/Users/bob/x", "/Users/***/x"),
        ("C:\\Users\\bob\\x", "C:\\Users\\***\\x"),
        ("'C:\\\\Users\\\\bob\\\\x'", "'C:\\\\Users\\\\***\\\\x'"),
        ("https://me:pw@host/x", "https://***@host/x"),
        ("https://tok3n@host/x", "https://***@host/x"),
        ("https://host/x?a=1&access_token=abcdef&b=2", "https://host/x?a=1&access_token=***&b=2"),
        ("https://host/x?sig=abc%2Fdef", "https://host/x?sig=***"),
        ("HF_TOKEN=abcdefgh, PASSWORD=hunter22", "HF_TOKEN=***, PASSWORD=***"),
        ("Authorization: Bearer abcdefghijklmnop.q", "Authorization: Bearer ***"),
        ("ghp_" + "a1" * 18, "***"),
        ("github_pat_" + "a1" * 20, "***"),
        ("glpat-" + "a1" * 10, "***"),
        ("hf_" + "aB" * 17, "***"),
        ("AKIA" + "A1" * 8, "***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "***"),
    ],
)
def test_what_is_taken_out(text: str, shown: str) -> None:
    """Home directories, credentials and tokens in URLs, named secrets and well-known tokens are masked."""
    assert NOTHING.text(text) == shown
    assert NOTHING.text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/srv/home/me and /rooted",
        "num_tokens=1234567",
        "Unexpected token: '<' in tokenizer",
        "basic block",
        "key=5",
        "https://docs.example/x?page=2#top",
        "tests/test_login.py::test_password[short]",
        "LD_LIBRARY_PATH=/usr/local/cuda/lib64",
        "user@host",
        "{{function_node __wrapped__Cast_device_/job:localhost}} Cast string to float is not supported",
    ],
)
def test_what_stays(text: str) -> None:
    """Ordinary texts, also with words such as token or password, stay letter for letter."""
    assert NOTHING.text(text) == text


@pytest.mark.parametrize(
    "name",
    ["MY_TOKEN", "token", "DB_PASSWORD", "API_KEY", "AWS_SECRET_ACCESS_KEY", "NPM_AUTH", "GH_PAT", "apikey"],
)
def test_secrets_of_the_environment(name: str) -> None:
    """The value of a variable whose name says so is masked wherever it stands."""
    assert Redactor({name: SECRET}).text(f"got {SECRET}{SECRET}!") == "got ******!"


@pytest.mark.parametrize(
    "name", ["PATH", "PWD", "TOKENIZERS_PARALLELISM", "AUTHOR", "KEYBOARD", "CUDA_CACHE_PATH"]
)
def test_ordinary_variables(name: str) -> None:
    """Other variables, also of names that only look like it, are no secrets."""
    assert Redactor({name: SECRET}).text(SECRET) == SECRET


def test_short_values_and_paths_are_no_secrets(tmp_path: Path) -> None:
    """A word such as `true` isn't masked everywhere, nor is the path of a file that holds a secret."""
    redactor = Redactor({"USE_TOKEN": "true", "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path)}, home="")
    assert redactor.text(f"true {tmp_path}") == f"true {tmp_path}"


def test_a_secret_of_several_lines() -> None:
    """Of a key of several lines each line is masked, and of two secrets the longer one first."""
    redactor = Redactor({"A_PRIVATE_KEY": "-----BEGIN KEY-----\nabcdefghij\n", "B_TOKEN": "abcdefghijkl"})
    assert redactor.text("abcdefghij; abcdefghijkl") == "***; ***"


@pytest.mark.parametrize("home", ["/", ""])
def test_no_home(home: str) -> None:
    """Where the home directory is the root or unknown, paths stay."""
    assert Redactor({}, home=home).text("/usr/lib") == "/usr/lib"


def test_a_home_that_is_a_link(tmp_path: Path) -> None:
    """A home directory that is a symbolic link is known by both its names."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    redactor = Redactor({}, home=str(tmp_path / "link"))
    assert redactor.text(f"{tmp_path}/real/x {tmp_path}/link/x") == "~/x ~/x"


def everywhere(text: str) -> Report:
    """Return a report with a text in each kind of place."""
    quote = (EvidenceLine(text, text),)
    return Report(
        "0.1", "2026-11-21T09:00:00+00:00", 1.0, True, 0, Facts(driver=text, environment={"LD_LIBRARY_PATH": text}),
        Preflight("unusable", text, stderr=(text,)), {"failed": 1}, (TestResult(text, "failed"),),
        (TestDiagnosis("c", "memory", "likely", text, quote, text, nodeid=text),), (), (Skip(text, text, text, text),),
        (text,),
    )  # fmt: skip


def test_a_whole_report() -> None:
    """Every text of a report is redacted, and a report without a secret stays as it is."""
    redactor = Redactor({"MY_TOKEN": SECRET}, home="/home/me")
    assert redactor.report(everywhere(f"x {SECRET} /home/me/y")) == everywhere("x *** ~/y")
    harmless = everywhere("x")
    assert redactor.report(harmless) == replace(harmless)


def test_ten_thousand_failures() -> None:
    """A report with 10,000 different failures is redacted in well under the two seconds that a report may take."""
    one = everywhere("x")
    tests = tuple(TestResult(f"t.py::t{number}", "failed") for number in range(10_000))
    diagnoses = tuple(
        replace(
            one.diagnoses[0],
            nodeid=test.nodeid,
            summary=f"{test.nodeid} failed on /job:localhost/device:GPU:0",
        )
        for test in tests
    )
    began = time.process_time()
    Redactor({"MY_TOKEN": SECRET}).report(replace(one, tests=tests, diagnoses=diagnoses))
    assert time.process_time() - began < 2
