"""The language of templates: what fits, what doesn't, and that no input makes it slow."""

from __future__ import annotations

import time

import pytest

from pytest_tfgpu.knowledge import catalog, noise, patterns
from pytest_tfgpu.knowledge.patterns import PatternError, Text, compile_template, find


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("No DNN in stream executor", "INTERNAL: no dnn in Stream Executor."),
        ("loaded {#} but {#}", "Loaded 8.0.4 but 8.1.0."),
        ("loaded {#} but", "loaded 7301 but"),
        ("library '{w}' is", "library 'libcudnn.so.9' is"),
        ("from {} to", "from /job:x and elsewhere to"),
        ("begin {~} end", "begin\nmiddle\nend"),
        ("{one|other} text", "the other text"),
        ("failed {|badly }here", "failed here"),
        ("a {{brace}}", "a {brace}"),
        ("two words", "two\n   words"),
        ("the longest-word first", "the longest-word first"),
        ("größer", "GRÖßER als"),
    ],
)
def test_a_template_fits(template: str, text: str) -> None:
    """Each kind of placeholder fits what it stands for, whatever case and white space."""
    span = find((template,), Text(text))
    assert span is not None
    assert span[0] < span[1] <= len(text)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("locator", "the allocator"),
        ("alloc", "the allocator"),
        ("from {} to", "from here\nand to"),
        ("from {} to", f"from {'x' * 400} to"),
        ("loaded {#} but", "loaded eight but"),
        ("library '{w}' is", "library 'two words' is"),
        ("two words", "two. words"),
    ],
)
def test_a_template_does_not_fit(template: str, text: str) -> None:
    """Parts of words, other lines and gaps that are too wide don't fit."""
    assert find((template,), Text(text)) is None


def test_the_earliest_of_several_alternatives_is_found() -> None:
    """The place that is found is the first in the text, not the first alternative."""
    assert find(("{late|early}",), Text("early and late")) == (0, 5)


def test_all_places_are_found() -> None:
    """Every occurrence is yielded, for blanking and dropping."""
    assert list(patterns.find_all(("be",), Text("to be or not to be"))) == [(3, 5), (16, 18)]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "it holds no text"),
        ("{} only", "begins with text"),
        ("{}", "it holds no text"),
        ("a {unknown} b", "unknown placeholder {unknown}"),
        ("a{1|2}{1|2}{1|2}{1|2}{1|2}{1|2}", "more than 32 combinations"),
    ],
)
def test_a_template_that_makes_no_sense_is_refused(template: str, said: str) -> None:
    """What is wrong with a template is said, with the template."""
    with pytest.raises(PatternError, match=f".*{said.replace('{', '.').replace('}', '.')}"):
        compile_template(template)


def _all_templates() -> set[str]:
    signatures = [signature for cause in catalog.builtin_causes() for signature in cause.signatures]
    known = {template for signature in signatures for template in (*signature.text, *signature.also)}
    return known | {*noise.ADVICE, *noise.HARMLESS}


def test_no_input_makes_a_template_slow() -> None:
    """Texts made of a template's own beginning, over and over, are searched in linear time."""
    slowest = ("", 0.0)
    for template in sorted(_all_templates()):
        for pattern in compile_template(template):
            hostile = Text((b" ".join(sorted(pattern.words)).decode() + " " + pattern._anchor + " ") * 400)
            begin = time.perf_counter()
            pattern.find(hostile)
            seconds = time.perf_counter() - begin
            slowest = max(slowest, (template, seconds), key=lambda pair: pair[1])
    assert slowest[1] < 0.5, slowest


def test_doubling_hostile_text_at_most_doubles_the_time() -> None:
    """Time grows with the length of the text, not with its square."""
    (pattern,) = compile_template("Loaded runtime {} but source was {} compiled {} with {~} never")

    def cost(count: int) -> float:
        text = Text("never\n" + "Loaded runtime CuDNN but source was compiled with " * count)
        begin = time.perf_counter()
        for _ in range(5):
            assert pattern.find(text) is None
        return time.perf_counter() - begin

    cost(10)
    assert cost(800) < 4 * cost(400) + 0.05
