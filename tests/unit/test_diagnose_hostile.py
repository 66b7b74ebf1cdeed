"""`tfgpu diagnose` on input that nobody would write: it answers, and never with a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfgpu.cli.main import main
from pytest_tfgpu.knowledge.catalog import builtin_causes

OOM = (
    "OOM when allocating tensor with shape[8,8] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by "
    "allocator GPU_0_bfc [Op:Mul]"
)
SOUND = json.dumps({"id": "sound", "exception": "ResourceExhaustedError", "message": OOM}).encode()

numbers = st.one_of(
    st.integers(0, 1 << 40),
    st.sampled_from([-1, 10**18, 10**30, 10**400]),
).map(str)
figures = st.one_of(
    st.builds("{}{}".format, numbers, st.sampled_from(["", " bytes", "GiB", " MB", ".5", ",000", "EiB"])),
    st.sampled_from(["", "nan", "-", "0x0", "1.2.3.4.5.6.7.8", "9" * 60, "1e999"]),
)
lines = st.one_of(
    st.builds("Memory usage: {} bytes free, {} bytes total.".format, figures, figures),
    st.builds("Limit: {}\nInUse: {}\nMaxInUse: {}".format, figures, figures, figures),
    st.builds(
        "OOM when allocating tensor with shape[{},{}] and type {w}".format,
        numbers,
        numbers,
        w=st.text(max_size=8),
    ),
    st.builds("trying to allocate {}. Sum Total of in-use chunks: {}".format, figures, figures),
    st.builds("Created device /device:GPU:0 with {} MB memory".format, figures),
    st.builds("totalMemory: {} freeMemory: {}".format, figures, figures),
    st.builds("Free  at 7f00 of size {} next {}".format, figures, figures),
    st.builds("Loaded runtime CuDNN library: {} but source was compiled with: {}".format, figures, figures),
    st.builds("kernel reported version is: {}\nlibcuda reported version is: {}".format, figures, figures),
    st.builds("name: GeForce computeCapability: {}".format, figures),
    st.builds("input depth must be evenly divisible by filter depth: {} vs {}".format, numbers, numbers),
    st.builds("libcudart.so.{} cudart64_{}".format, figures, figures),
    st.builds("|  {}MiB /  {}MiB |".format, numbers, numbers),
    st.builds(
        '[[{{{{node {}/Conv2D}}}}]] = Conv2D[T=DT_FLOAT, _device="/device:{}"]'.format,
        st.text(max_size=9),
        st.text(max_size=9),
    ),
    st.sampled_from(
        sorted(
            " ".join(template.split("{")[0] for template in signature.text)
            for cause in builtin_causes()
            for signature in cause.signatures
            if signature.text
        )
    ),
    st.text(max_size=40),
    st.sampled_from(["\x00", "\x1b[31m", "\ud800", "\u0130", "\r", "[[Node: ", "]]", "x" * 5000]),
)
texts = st.lists(lines, max_size=6).map("\n".join)

names = st.one_of(st.text(max_size=20), figures)
wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


def records(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with some of these keys; a value now and then of any type."""
    return st.fixed_dictionaries({}, optional={key: value | wild for key, value in keys.items()})


amounts = st.one_of(st.none(), st.integers(-10, 1 << 20), st.sampled_from([10**18, 10**400, -(10**400)]))
gpus = records(
    index=st.integers(),
    name=names,
    uuid=names,
    compute_capability=figures,
    memory_total_mib=amounts,
    memory_free_mib=amounts,
    compute_mode=names,
)
plain_gpus = st.fixed_dictionaries(
    {"name": names, "memory_total_mib": amounts, "memory_free_mib": amounts, "compute_capability": figures}
)
facts = records(
    tensorflow=figures,
    platform=st.sampled_from(["linux", "windows", "jetson"]),
    driver=figures,
    cuda=figures,
    cudnn=figures,
    built_for=records(cuda=figures, cudnn=figures, compute_capabilities=st.lists(figures, max_size=3)),
    gpus=st.lists(plain_gpus, min_size=1, max_size=3) | st.lists(gpus, max_size=3),
    visible_gpus=st.lists(st.integers(-5, 5) | st.just(10**30), max_size=3),
    gpu_processes=st.lists(records(pid=st.integers(), name=names, memory_mib=amounts), max_size=3),
    memory_growth=st.booleans(),
    libraries=st.lists(records(name=names, path=names), max_size=2),
    environment=st.dictionaries(st.sampled_from(["CUDA_VISIBLE_DEVICES", "TF_X"]), names),
    unknown=st.dictionaries(names, names, max_size=2),
)
sensible_facts = st.fixed_dictionaries(
    {}, optional={"gpus": st.lists(plain_gpus, min_size=1, max_size=2), "driver": figures, "cuda": figures}
)
cases = st.fixed_dictionaries(
    {},
    optional={
        "id": wild,
        "exception": st.one_of(names, st.sampled_from(["InternalError", "ValueError", "UnknownError"])),
        "message": texts,
        "log": st.lists(lines, max_size=8),
        "facts": sensible_facts | facts,
    },
) | st.fixed_dictionaries({}, optional={"exception": wild, "message": wild, "log": wild, "facts": wild})


def run(*arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit status, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(arguments))
    return status, out.getvalue(), err.getvalue()


def batch(given: list[bytes]) -> list[dict[str, Any]]:
    """Return the answers to these lines; each holds causes or an error."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(given))
        file.flush()
        status, out, err = run("diagnose", "--batch", file.name)
    assert (status, err) == (0, "")
    answers: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert all(("causes" in answer) != ("error" in answer) for answer in answers)
    assert [answer for answer in answers if "defect" in answer.get("error", "")] == []
    return answers


@settings(max_examples=300, deadline=None)
@given(st.lists(cases, min_size=1, max_size=3))
def test_any_case_is_answered_and_so_are_its_neighbours(given: list[Any]) -> None:
    """Wrong types, missing keys and mad figures yield causes or an error, and the line after them is answered."""
    asked = [line for case in given for line in (json.dumps(case).encode(), SOUND)]
    answers = batch(asked)
    assert len(answers) == len(asked)
    assert all(answer["causes"][0]["id"] == "out-of-memory" for answer in answers[1::2])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), max_size=4))
def test_any_bytes_are_answered_and_so_are_their_neighbours(given: list[bytes]) -> None:
    """Bytes that are no JSON get an error line; a blank line gets none."""
    answers = batch([*given, SOUND])
    assert len(answers) == 1 + sum(bool(line.strip()) for line in given)
    assert answers[-1]["id"] == "sound"


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=400), texts.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_file_is_read_as_a_log(log: bytes) -> None:
    """A log may hold anything, also half a traceback; the answer is a list."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"Traceback (most recent call last):\nInternalError: Dst tensor\n" + log)
        file.flush()
        status, out, err = run("diagnose", "--json", file.name)
    assert (status, err) == (0, "")
    assert isinstance(json.loads(out), list)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=60), facts.map(lambda data: json.dumps(data).encode())))
def test_any_file_is_taken_for_facts_or_refused(data: bytes) -> None:
    """A file of facts is used, or refused in one line with status 2."""
    with tempfile.NamedTemporaryFile() as file, tempfile.NamedTemporaryFile() as log:
        file.write(data)
        file.flush()
        log.write(b"InternalError: Dst tensor is not initialized.\n")
        log.flush()
        status, out, err = run("diagnose", "--json", "--facts", file.name, log.name)
    assert (status, err, bool(out)) == (0, "", True) or (status, len(err.splitlines())) == (2, 1)
