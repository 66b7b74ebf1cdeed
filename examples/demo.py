"""Run the suite `first_steps` on the CPU, and check that exactly the failures came that are shown on purpose.

Shows a preflight, skipped tests with their reasons, explained failures and the summary. Exits with 0 where all is as
expected, so that it serves as a test of the installation too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = Path(__file__).with_name("first_steps")

EXPECTED = {
    "test_embedding_of_an_unknown_word": "index-out-of-range",
    "test_filter_of_another_type": "dtype-mismatch",
    "test_weights_of_another_type": "dtype-mismatch",
    "test_labels_that_are_words": "unsupported-cast",
    "test_preprocessing_in_python": "python-exception-in-function",
    "test_ordinary_failure": None,
}
"""The tests that fail on purpose, and the cause that the plugin names; None: an ordinary failure, no cause."""


def main() -> int:
    """Run the suite, compare its report with what is expected, and say so."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        command = ["--tfgpu-preflight", "--tfgpu-device=cpu", f"--tfgpu-report=json:{path}"]
        pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-rs"]
        subprocess.run([*pytest, *command, *sys.argv[1:]], cwd=SUITE, check=False)
        if not path.exists():
            print("\ndemo: the session wrote no report")
            return 1
        report = json.loads(path.read_text("utf-8"))
    failed = {
        test["nodeid"].rpartition("::")[2]: test.get("cause")
        for test in report["tests"]
        if test["outcome"] in ("failed", "error")
    }
    if failed != EXPECTED or report["preflight"]["verdict"] != "ok":
        print(
            f"\ndemo: expected the failures {EXPECTED}, got {failed}; preflight {report['preflight']['verdict']}"
        )
        return 1
    named = sum(cause is not None for cause in failed.values())
    print(
        f"\ndemo: the {len(failed)} failures above are there on purpose. {named} have the cause that they should "
        f"have; {len(failed) - named} is an ordinary failure, which the plugin leaves alone."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
