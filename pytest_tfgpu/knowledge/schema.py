"""What a cause is made of: plain data, so that a conftest or another package can bring its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_tfgpu.model import Category

Role = Literal["root", "confirms", "follows", "excludes"]
"""What a signature that fits says about its cause.

- `root`: the cause itself shows,
- `follows`: a consequence that several causes share,
- `confirms`: a fact (of the machine, of memory, of versions) that bears out a root or a consequence found
  elsewhere,
- `excludes`: it is something else.

What TensorFlow only advises, and lines that are harmless, are no signatures: see
`pytest_tfgpu.knowledge.noise`.
"""

WEIGHTS: dict[Role, float] = {"root": 0.8, "follows": 0.35, "confirms": 0.5, "excludes": 1.0}
"""How far a signature of each role is to be believed, where it doesn't say so itself."""


@dataclass(frozen=True)
class Signature:
    """A sign of a cause. All that it states must hold; of several texts, classes, operations one suffices."""

    role: Role
    text: tuple[str, ...] = ()
    """Templates (see `pytest_tfgpu.knowledge.patterns`)."""
    also: tuple[str, ...] = ()
    """More templates, of which one must be found, too."""
    where: Literal["any", "message", "log"] = "any"
    """Where the texts are looked for: in the exceptions, in the log, or in both."""
    exceptions: tuple[str, ...] = ()
    """Class names, without module, of which one is in the chain."""
    status: tuple[str, ...] = ()
    """Status codes (`RESOURCE_EXHAUSTED`) of which one is in the chain or begins the text."""
    ops: tuple[str, ...] = ()
    """Operations; a name that ends in `*` stands for all that begin so."""
    device: Literal["", "CPU", "GPU"] = ""
    """Type of the operation's device."""
    needs: tuple[str, ...] = ()
    """Readings that must hold (see `pytest_tfgpu.diagnosis.readings`)."""
    unless: tuple[str, ...] = ()
    """Readings of which none may hold."""
    weight: float | None = None
    """Between 0 and 1, where the role's own weight doesn't fit."""

    @property
    def strength(self) -> float:
        """The weight that counts."""
        return WEIGHTS[self.role] if self.weight is None else self.weight


@dataclass(frozen=True)
class Help:
    """A piece of advice and when it is given."""

    text: str
    sure: bool = True
    """False: worth a try."""
    needs: tuple[str, ...] = ()
    """Readings that must hold."""
    unless: tuple[str, ...] = ()
    """Readings of which none may hold."""


@dataclass(frozen=True)
class Example:
    """What a program really printed when it failed of this cause."""

    source: str
    """Where it was seen: an address, or the command that prints it."""
    exception: str = ""
    message: str = ""
    log: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    """As `pytest_tfgpu.Facts.to_json` gives them."""


@dataclass(frozen=True)
class LookAlike(Example):
    """A failure that looks like this cause and has another."""

    cause: str | None = None
    """Id of the true cause; None where nothing is to be said."""


@dataclass(frozen=True)
class Cause:
    """Why tests fail: how it shows, how to tell it from others, what to do."""

    id: str
    """Kebab-case; names what is wrong, never the remedy."""
    category: Category
    summary: str
    """One sentence that stands alone and holds no advice."""
    signatures: tuple[Signature, ...]
    help: tuple[Help, ...] = ()
    notes: tuple[str, ...] = ()
    """Readings whose sentences are worth saying with this cause."""
    rivals: tuple[str, ...] = ()
    """Ids of causes that the same evidence often has, likeliest first."""
    examples: tuple[Example, ...] = ()
    lookalikes: tuple[LookAlike, ...] = ()
    meaning: str = ""
    """Long text: what it means."""
    appearance: str = ""
    """Long text: what it looks like, and from which version of TensorFlow."""
    distinction: str = ""
    """Long text: how to tell it from its look-alikes."""
    confirmation: str = ""
    """Long text: how to confirm it."""
    remedy: str = ""
    """Long text: how to fix it."""
    references: tuple[str, ...] = ()

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """The long text: headings, always the same and in this order, with their texts."""
        return (
            ("What it means", self.meaning),
            ("What it looks like", self.appearance),
            ("How to tell it from its look-alikes", self.distinction),
            ("How to confirm it", self.confirmation),
            ("How to fix it", self.remedy),
            ("References", "\n".join(self.references)),
        )
