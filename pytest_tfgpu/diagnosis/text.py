"""Cleaning and cutting of texts, and the structure that TensorFlow's error texts carry.

Every pattern here is linear: what repeats is bounded or can't overlap with what follows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_tfgpu.knowledge.patterns import Text

MESSAGE_LIMIT = 64 * 1024
"""Characters of a message that are kept: three quarters from its start, the rest from its end."""
LINE_LIMIT = 2048
LOG_LIMIT = 2000
"""Log lines that are kept: the first and the last thousand."""

TAKES_A_GPU = (
    r"(?:set_memory_growth|set_visible_devices|set_(?:virtual|logical)_device_configuration|get_device_details|tf\.device)"
    r"\([\s\w=\[]{0,20}?\w{0,30}(?:gpu|device)\w{0,20}\[([^\]\n]{1,40})\]|"
    r"list_(?:physical|logical)_devices\((?:device_type=)?['\"]GPU['\"]\)\[([^\]\n]{1,40})\]"
)
"""A line of a program that takes one of the GPUs which TensorFlow lists, by its number."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;:?<=>]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,2048}(?:\x07|\x1b\\)?|[@-Z\\^_])"
)
_CONTROLS = bytes((*range(0x09), *range(0x0B, 0x20), 0x7F))

LOG_LINE = re.compile(
    r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9}: [IWEF] |[IWEF]\d{4} \d\d:\d\d:\d{2,11}\.\d{1,9}\s|"
    r"[IWEF] [\w./\\]{0,200}(?:tensorflow|xla|external)[\w./\\]{1,200}:\d{1,6}\] |NVRM: Xid|"
    r"[\w.-]{1,60}:\d{1,9}:\d{1,9} \[\d{1,3}\] (?:NCCL |INFO |[\w/]{1,40}\.(?:cu|cc|h):\d{1,6} WARN ))"
)
"""How a line of a log begins: TensorFlow's to 2.16, from 2.17 on, without a time, the driver's, NCCL's."""

STATUSES = {
    "CancelledError": "CANCELLED",
    "UnknownError": "UNKNOWN",
    "InvalidArgumentError": "INVALID_ARGUMENT",
    "DeadlineExceededError": "DEADLINE_EXCEEDED",
    "NotFoundError": "NOT_FOUND",
    "AlreadyExistsError": "ALREADY_EXISTS",
    "PermissionDeniedError": "PERMISSION_DENIED",
    "UnauthenticatedError": "UNAUTHENTICATED",
    "ResourceExhaustedError": "RESOURCE_EXHAUSTED",
    "FailedPreconditionError": "FAILED_PRECONDITION",
    "AbortedError": "ABORTED",
    "OutOfRangeError": "OUT_OF_RANGE",
    "UnimplementedError": "UNIMPLEMENTED",
    "InternalError": "INTERNAL",
    "UnavailableError": "UNAVAILABLE",
    "DataLossError": "DATA_LOSS",
}
"""TensorFlow's error classes and the status codes behind them (tensorflow/python/framework/errors_impl.py)."""

PYTHONS_OWN = frozenset(
    (
        *("ValueError", "TypeError", "KeyError", "IndexError", "AttributeError", "ZeroDivisionError"),
        *("NameError", "UnboundLocalError", "SyntaxError", "IndentationError"),
        *("UnicodeDecodeError", "UnicodeEncodeError", "JSONDecodeError"),
        *("FileNotFoundError", "FileExistsError", "IsADirectoryError", "NotADirectoryError"),
    )
)
"""Errors of a kind that the GPU never raises. OSError, RuntimeError and the like may come from a missing library."""

_TENSORFLOW_ERRORS = "tensorflow.python.framework.errors_impl."
_CONSOLES = frozenset((80, 120))
"""Columns of Windows' consoles, from which lines are copied as they were shown."""

_CODES = {code.replace("_", " ").lower(): code for code in STATUSES.values()}
_ANY_CODE = "|".join(code.replace("_", "[ _]") for code in _CODES.values())
_CODE_PREFIX = re.compile(
    r"(?:^|\(\d{1,3}\) |failed at [\w.]{1,80}:\d{1,6} : |with status: |^Internal: )" + f"({_ANY_CODE}): ",
    re.IGNORECASE | re.MULTILINE,
)
_CLASS_PREFIX = re.compile(
    r"^\s{0,8}(?:E\s{1,8})?((?:[A-Za-z_]\w{0,60}\.){0,12}[A-Z]\w{1,60}(?:Error|Exception|Exhausted))(?::|$| \()"
)

_JOB = r"/job:[\w./:]{1,80}?/(?:device:)?([A-Z_]{3,12}|cpu|gpu):(\d{1,3})"

_OPS = (
    (b"op", "[Op:", re.compile(r"\[Op:((?!__inference_|__forward_|__backward_)\w{1,120})\]")),
    (
        b"wrapped",
        "__wrapped__",
        re.compile(r"__wrapped__(?:__?Mkl(?:Native)?)?([A-Za-z]\w{0,120}?)_(?:T[a-z]+_\w+_)?device_/job:"),
    ),
    (b"node", "[[Node: ", re.compile(r"\[\[Node: [\w./:^-]{1,300} = (\w{1,120})\[")),
    (b"op", "to support Op '", re.compile(r"to support Op '(\w{1,120})'")),
    (b"registered", "No registered '", re.compile(r"No registered '(\w{1,120})' OpKernel")),
    (b"node", "{{node ", re.compile(r"\{\{node [\w./:^-]{1,300}\}\} = (\w{1,120})\[")),
    (b"registered", "registered for op", re.compile(r"kernels registered for op (\w{1,120})")),
    (b"order", "in order to run", re.compile(r"in order to run (\w{1,120}):")),
    (b"requested", "requested by op", re.compile(r"requested by op ([\w./]{1,300})")),
    (b"eagerconst", "_EagerConst:", re.compile(r"(_EagerConst):")),
)
_NODES = (
    (b"node", "{{node ", re.compile(r"\{\{node ([\w./:^-]{1,300})\}\}")),
    (b"node", "[[", re.compile(r"\[\[[Nn]ode:? ([\w./:^-]{1,300})")),
    (b"node", "Node: '", re.compile(r"Node: '([^'\n]{1,300})'")),
    (b"node", "Detected at node", re.compile(r"Detected at node '?([\w./:^-]{1,300})'? defined at")),
    (b"assign", "Cannot assign", re.compile(r"Cannot assign a device for operation '?([\w./-]{1,300})")),
)
_DEVICES = (
    (b"allocator", "by allocator", re.compile(rf"on {_JOB} by allocator")),
    (b"job", "_device_/job:", re.compile(rf"_device_{_JOB}")),
    (
        b"device",
        '_device="',
        re.compile(r'\b_device="/?[\w./:]{0,80}?/?(?:device:)?([A-Z_]{3,12}|cpu|gpu):(\d{1,3})"'),
    ),
    (b"tensor", "input tensor from", re.compile(rf"input tensor from /job:[\w./:]{{1,80}} to {_JOB}")),
)
"""A word and a text that are there wherever the pattern fits, and the pattern."""
_ALLOCATOR = re.compile(r"by allocator ([\w.]{1,60})|Allocator \(([\w.]{1,60})\) ran out")
_SHAPE = re.compile(
    r"tensor (?:with|of) shape ?\[(\d{1,18}(?:, ?\d{1,18}){0,15})\](?: and type ([a-z]\w{1,15}))?"
)
_GRAPH = re.compile(r"\[\[(?:Node: |node |\{\{node )")
_GRAPH_LIMIT = 8192


@dataclass(frozen=True)
class Structure:
    """What a text says of the operation that failed; None where it says nothing."""

    op: str | None = None
    node: str | None = None
    device: str | None = None
    allocator: str | None = None
    shape: tuple[int, ...] = ()
    dtype: str | None = None


def clean(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return `text` without terminal escapes and control characters, at most about `limit` characters long."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    if len(text) > limit:
        text = text[: limit * 3 // 4] + "\n...\n" + text[-limit // 4 :]
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    raw = text.encode("utf-8", "replace")
    kept = raw.translate(None, _CONTROLS)
    if len(kept) != len(raw):
        text = kept.decode("utf-8")
    return text.replace("\u0130", "I")


def unwrapped(message: str, class_name: str) -> str:
    """Return `message` with the words put together that a console broke at its last column.

    In front of the first line there was the name of the class, mostly with its module.
    """
    if "\n" not in message:
        return message
    lines = message.split("\n")
    name = class_name.rpartition(".")[2]
    before = (0, len(f"{name}: "), len(f"{_TENSORFLOW_ERRORS}{name}: "))
    columns = {taken + len(lines[0]) for taken in before}
    if _CONSOLES.isdisjoint(columns) and _CONSOLES.isdisjoint(map(len, lines)):
        return message
    joined = lines[:1]
    for line in lines[1:]:
        if columns & _CONSOLES and joined[-1][-1:].isalnum() and line[:1].isalnum():
            joined[-1] += line
        else:
            joined.append(line)
        columns = {len(line)}
    return "\n".join(joined)


def structure(searchable: Text) -> Structure:
    """Read operation, node, device, allocator and shape from TensorFlow's error text."""
    text, words = searchable.source[:MESSAGE_LIMIT], searchable.words
    shape = _SHAPE.search(text) if b"shape" in words else None
    device = _first(_DEVICES, text, words)
    allocator = _ALLOCATOR.search(text) if b"allocator" in words else None
    op, node = _first(_OPS, text, words), _first(_NODES, text, words)
    return Structure(
        op=op[1] if op else None,
        node=node[1] if node else None,
        device=f"/device:{device[1].upper()}:{device[2]}" if device else None,
        allocator=(allocator[1] or allocator[2]) if allocator else None,
        shape=tuple(int(part) for part in shape[1].split(",")) if shape else (),
        dtype=shape[2] if shape else None,
    )


def status_of(class_name: str, text: str) -> str | None:
    """Return the status code behind an error class, or the one that its text begins with."""
    known = STATUSES.get(class_name.rpartition(".")[2])
    if known:
        return known
    found = _CODE_PREFIX.search(text[:4096])
    return _CODES[found[1].replace("_", " ").lower()] if found else None


def class_in(text: str) -> str:
    """Return the error class that a text begins with (`tensorflow...UnknownError: ...`), or an empty string."""
    found = _CLASS_PREFIX.match(text[:1024])
    return found[1] if found else ""


def without_graph(text: str) -> str:
    """Return `text` with `[[Node: name = Op[...]]]` blanked: attributes such as `use_cudnn_on_gpu` say nothing.

    The length stays, so that positions in the result are positions in `text`.
    """
    if "[[" not in text:
        return text
    parts, done = [], 0
    for found in _GRAPH.finditer(text):
        if found.start() < done:
            continue
        end = _closing(text, found.start())
        parts += [text[done : found.start()], " " * (end - found.start())]
        done = end
    return "".join((*parts, text[done:]))


def _closing(text: str, start: int) -> int:
    """Return the position after the brackets that close those at `start`; the end of the line where none do."""
    depth = 0
    for position in range(start, min(len(text), start + _GRAPH_LIMIT)):
        if text[position] == "[":
            depth += 1
        elif text[position] == "]":
            depth -= 1
            if depth == 0:
                return position + 1
    newline = text.find("\n", start)
    return len(text) if newline < 0 else newline


def _first(
    patterns: tuple[tuple[bytes, str, re.Pattern[str]], ...], text: str, words: frozenset[bytes]
) -> re.Match[str] | None:
    """Return the first match of the first pattern that fits; each is tried only where its word and text are there."""
    for word, needle, pattern in patterns:
        found = pattern.search(text) if word in words and needle in text else None
        if found:
            return found
    return None
