"""Every cause of the catalogue: complete, sound, and right on its own examples and look-alikes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from pytest_tfgpu.diagnosis import engine, evidence
from pytest_tfgpu.diagnosis.readings import names
from pytest_tfgpu.knowledge import catalog, noise, patterns
from pytest_tfgpu.knowledge.schema import Cause, Example, LookAlike
from pytest_tfgpu.model import Category, Facts

CAUSES = {cause.id: cause for cause in catalog.builtin_causes()}
FOLDER = Path(catalog.__file__).with_name("causes")

IDS = (
    "cpu-only-build",
    "driver-missing",
    "driver-too-old",
    "driver-library-mismatch",
    "driver-unhealthy",
    "driver-defect",
    "vgpu-unlicensed",
    "cuda-library-missing",
    "cudnn-missing",
    "cudnn-version-mismatch",
    "cuda-version-mismatch",
    "cuda-toolkit-not-found",
    "unsupported-compute-capability",
    "kernels-compiled-at-first-use",
    "gpu-not-visible",
    "gpu-busy",
    "gpu-configured-too-late",
    "gpu-options-conflict",
    "compute-cache-unusable",
    "rocm-stack-mismatch",
    "python-package-conflict",
    "memory-preallocated",
    "memory-held-by-other-process",
    "out-of-memory",
    "memory-fragmentation",
    "memory-leak",
    "host-out-of-memory",
    "other-framework-out-of-memory",
    "op-unsupported-on-device",
    "dtype-unsupported-on-device",
    "determinism-unsupported",
    "xla-unsupported",
    "conv-algorithm-unavailable",
    "invalid-device",
    "shape-mismatch",
    "dtype-mismatch",
    "unsupported-cast",
    "index-out-of-range",
    "numpy-in-graph",
    "gpu-fault",
    "earlier-gpu-fault",
    "cuda-after-fork",
    "gpu-hardware-error",
    "collective-failure",
    "tensorflow-defect",
    "disk-full",
    "too-many-open-files",
    "too-many-threads",
    "file-system-unavailable",
    "request-refused",
    "variable-uninitialized",
    "file-not-found",
    "model-file-unreadable",
    "op-library-unfit",
    "python-exception-in-function",
)

WITHOUT_EXAMPLE = {
    "compute-cache-unusable",
    "driver-defect",
}
"""Causes for which no example with a public source was found yet. May only shrink."""

each_cause = pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES.keys())
EXAMPLES = [(cause, example) for cause in CAUSES.values() for example in cause.examples]
LOOKALIKES = [(cause, other) for cause in CAUSES.values() for other in cause.lookalikes]


def ranked(example: Example) -> list[str]:
    """Return the ids of the causes that the engine names for an example, best first."""
    seen = evidence.from_text(example.exception, example.message, example.log)
    return [candidate.cause.id for candidate in engine.rank(seen, Facts.from_json(example.facts))]


def test_ids_are_public_and_stay() -> None:
    """No id of a released catalogue disappears; new ones are written down here."""
    assert sorted(CAUSES) == sorted(IDS)


def test_each_file_holds_the_cause_of_its_name() -> None:
    """A cause is found by its file's name."""
    files = {path.stem.replace("_", "-") for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    assert files == set(CAUSES)


def test_files_of_causes_stay_short() -> None:
    """A cause fits in a file that can be read at a glance."""
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in FOLDER.glob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 145} == {}


@pytest.mark.parametrize(("cause", "example"), EXAMPLES, ids=lambda value: getattr(value, "id", ""))
def test_an_example_is_put_down_to_its_cause(cause: Cause, example: Example) -> None:
    """What a program printed when it failed of a cause is put down to that cause, first."""
    assert ranked(example)[:1] == [cause.id]


@pytest.mark.parametrize(("cause", "other"), LOOKALIKES, ids=lambda value: getattr(value, "id", ""))
def test_a_lookalike_is_put_down_to_its_true_cause(cause: Cause, other: LookAlike) -> None:
    """What only looks like a cause gets its true one, or silence."""
    assert other.cause != cause.id
    assert ranked(other)[:1] == ([other.cause] if other.cause else [])


def test_causes_without_example_are_those_that_are_known() -> None:
    """A cause brings an example unless it stands on the list of exemptions, and the list holds no others."""
    assert {cause.id for cause in CAUSES.values() if not cause.examples} == WITHOUT_EXAMPLE


@each_cause
def test_a_cause_is_complete(cause: Cause) -> None:
    """Category, help, look-alikes and every section of the long text are there."""
    assert cause.category in get_args(Category)
    assert cause.help
    assert cause.lookalikes
    assert [heading for heading, body in cause.sections if not body.strip()] == []
    assert all(reference.startswith("https://") for reference in cause.references)


@each_cause
def test_a_summary_is_one_sentence_without_advice(cause: Cause) -> None:
    """The primary line says what is wrong; what to do stands under help."""
    assert cause.summary.endswith(".")
    assert not re.search(r"\. [A-Z]", cause.summary)
    assert not re.search(r"\b(install|you|try|should|please|check)\b", cause.summary, re.IGNORECASE)
    assert len(cause.summary) <= 120


@each_cause
def test_help_is_written_as_sentences(cause: Cause) -> None:
    """Each piece of help ends as a sentence does and isn't said twice."""
    texts = [help.text for help in cause.help]
    assert all(text.endswith((".", "?", ")")) for text in texts)
    assert len(texts) == len(set(texts))


@each_cause
def test_rivals_are_other_causes_of_the_gpu(cause: Cause) -> None:
    """What a cause is often taken for is in the catalogue, is another one, and stands there once."""
    assert cause.id not in cause.rivals
    assert len(set(cause.rivals)) == len(cause.rivals)
    assert {CAUSES[rival].category for rival in cause.rivals}.isdisjoint({"not-gpu"})


@each_cause
def test_signatures_can_be_understood(cause: Cause) -> None:
    """Templates parse, and readings that are asked for exist."""
    assert list(catalog.template_faults(cause)) == []
    asked = [name for signature in cause.signatures for name in (*signature.needs, *signature.unless)]
    asked += [name for help in cause.help for name in (*help.needs, *help.unless)]
    assert {name.partition(":")[0] for name in (*asked, *cause.notes)} <= names()


@each_cause
def test_a_cause_can_be_found_at_all(cause: Cause) -> None:
    """A cause has a root, or it would never be more than possible."""
    assert any(signature.role == "root" for signature in cause.signatures)
    stated = [s for s in cause.signatures if not (s.text or s.exceptions or s.status or s.ops or s.needs)]
    assert stated == []


def test_sources_of_examples_are_named() -> None:
    """Each example says where it was seen: an address, or what prints it."""
    sources = [example.source for _, example in (*EXAMPLES, *LOOKALIKES)]
    assert [source for source in sources if not re.match(r"https://|.*TensorFlow \d", source)] == []


@pytest.mark.parametrize("template", [*noise.ADVICE, *noise.HARMLESS])
def test_noise_is_silent(template: str) -> None:
    """What is harmless or mere advice yields no diagnosis by itself."""
    patterns.compile_template(template)
    text = template.split("{")[0]
    assert engine.rank(evidence.from_text("", "", [text])) == []


def test_the_catalogue_needs_neither_tensorflow_nor_pytest() -> None:
    """Loading the causes and diagnosing imports no heavy package."""
    program = (
        "import sys; from pytest_tfgpu.diagnosis import diagnose; diagnose('UnknownError', message='x');"
        "print([name for name in ('tensorflow', 'pytest', 'numpy', 'pynvml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
