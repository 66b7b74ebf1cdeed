"""The catalogue: causes of other providers, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_tfgpu.diagnosis import engine, evidence
from pytest_tfgpu.knowledge.catalog import BUILT_IN, Catalog, CatalogError, load
from pytest_tfgpu.knowledge.schema import Cause, Signature

MINE = Cause(
    id="licence-expired",
    category="environment",
    summary="The licence of the simulator has expired.",
    signatures=(Signature("root", ("licence {w} has expired",), weight=0.9),),
)


def refused(causes: Any) -> str:
    """Return what the catalogue says of causes that it refuses."""
    with pytest.raises(CatalogError) as caught:
        load().extended([("my_plugin", causes)])
    return str(caught.value)


def test_another_providers_cause_is_found_in_a_failure() -> None:
    """A cause that a plugin brings is weighed with the others."""
    catalog = load().extended([("my_plugin", [MINE])])
    seen = evidence.from_text("InternalError", "licence 4711 has expired")
    diagnosis = engine.diagnose(seen, catalog=catalog)
    assert diagnosis is not None
    assert (diagnosis.cause, catalog.provider("licence-expired")) == ("licence-expired", "my_plugin")


def test_extending_leaves_the_built_in_catalogue_as_it_was() -> None:
    """The built-in causes are shared by all; adding makes a new catalogue."""
    load().extended([("my_plugin", [MINE])])
    assert "licence-expired" not in load()
    assert load().provider("out-of-memory") == BUILT_IN


def test_two_causes_of_one_id_name_both_providers() -> None:
    """An ambiguity is an error that says who is involved."""
    clash = replace(MINE, id="out-of-memory")
    assert refused([clash]) == "cause 'out-of-memory' is provided twice, by pytest-tfgpu and by my_plugin"


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("no cause", "my_plugin: expected a Cause, got str"),
        (
            replace(MINE, id="Not Kebab"),
            "my_plugin: cause id 'Not Kebab' isn't lower-case words joined by hyphens",
        ),
        (replace(MINE, category="weather"), "category 'weather' isn't one of environment, memory"),
        (replace(MINE, summary=" "), "cause licence-expired: the summary is missing"),
        (replace(MINE, signatures=(Signature("reason", ("x",)),)), "role 'reason' isn't one of root"),
        (
            replace(MINE, signatures=(Signature("root", ("x",), weight=2),)),
            "weight 2 isn't above 0 and at most 1",
        ),
        (replace(MINE, signatures=(Signature("root", "text"),)), "are tuples of templates, not strings"),
        (replace(MINE, signatures=(Signature("root", ("{}",)),)), "template '{}': it holds no text"),
    ],
)
def test_a_faulty_cause_is_refused_with_its_provider(cause: Any, said: str) -> None:
    """What is wrong with a cause is said in one sentence that names who brought it."""
    answer = refused([cause])
    assert said in answer
    assert answer.startswith("my_plugin: ")


def test_something_that_is_no_sequence_is_refused() -> None:
    """A hook that returns a number is named, not a traceback."""
    assert refused(7) == "my_plugin: expected a sequence of causes"


def test_an_empty_catalogue_knows_nothing() -> None:
    """Without causes there is no diagnosis."""
    catalog = Catalog()
    assert len(catalog) == 0
    assert engine.diagnose(evidence.from_text("MemoryError", "no"), catalog=catalog) is None


def test_a_provider_that_is_not_there_is_a_key_error() -> None:
    """Only ids in the catalogue have a provider."""
    with pytest.raises(KeyError):
        load().provider("no-such-cause")
