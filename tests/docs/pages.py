"""The pages of the project, taken apart: blocks of code, commands, links, headings."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """A fenced block: the first word of its fence, and its text."""

    language: str
    text: str

    @property
    def filename(self) -> str | None:
        """The file that the block is, where its first line is a comment with that name."""
        match = re.match(r"# ([\w.]+\.py)\n", self.text)
        return match[1] if match else None


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the project, also the id of the tests about it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def is_made(self) -> bool:
        """Whether docs/generate.py writes it."""
        return "<!-- Made by docs/generate.py" in self.text

    @cached_property
    def text(self) -> str:
        """The whole text."""
        return self.path.read_text("utf-8")

    @cached_property
    def _tokens(self) -> list[Token]:
        return _MARKDOWN.parse(self.text)

    @property
    def blocks(self) -> list[Block]:
        """The fenced blocks, in order."""
        return [Block(token.info, token.content) for token in self._tokens if token.type == "fence"]

    def texts(self, language: str) -> list[str]:
        """Return the texts of the blocks in this language."""
        return [block.text for block in self.blocks if block.language == language]

    @property
    def commands(self) -> list[list[str]]:
        """The commands in blocks of a console, as words."""
        lines = [line for text in self.texts("console") for line in text.splitlines()]
        return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]

    @property
    def links(self) -> list[str]:
        """Where its links lead."""
        inline = [child for token in self._tokens for child in token.children or ()]
        return [str(child.attrs["href"]) for child in inline if child.type == "link_open"]

    @property
    def anchors(self) -> set[str]:
        """What a link may name after `#`, made from the headings as GitHub makes it."""
        pairs = zip(self._tokens, self._tokens[1:], strict=False)
        headings = [inline.content for token, inline in pairs if token.type == "heading_open"]
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def all_pages() -> list[Page]:
    """Return README, CHANGELOG, CONTRIBUTING and all of docs."""
    return [Page(path) for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))]


def written_pages() -> list[Page]:
    """Return the pages that people write."""
    return [page for page in all_pages() if not page.is_made]
