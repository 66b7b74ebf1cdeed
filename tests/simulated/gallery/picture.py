"""Draw what a terminal shows, colours and all, as SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import NamedTuple

_SIZE = 14
_WIDE, _HIGH = 8.43, 19
"""Of a character, in pixels; each run of text is stretched to fit, whatever the font."""
_COLOURS = {"31": "#ff7b72", "32": "#56d364", "33": "#e3b341", "34": "#79c0ff", "36": "#76e3ea"}
_PAGE, _TEXT = "#0d1117", "#d5dbe3"
_CODE = re.compile(r"\x1b\[([\d;]*)m")


class _Cell(NamedTuple):
    column: int
    character: str
    colour: str
    bold: bool


def draw(text: str, title: str, columns: int) -> str:
    """Return an SVG of the lines of a text with colours (SGR escape sequences), broken at so many columns."""
    rows = [row for line in text.splitlines() for row in _rows(line, columns)]
    width, height = round(columns * _WIDE + 32), len(rows) * _HIGH + 28
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="100%" height="100%" rx="6" fill="{_PAGE}"/>',
            f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="{_SIZE}" '
            f'fill="{_TEXT}">',
            *(run for number, row in enumerate(rows) for run in _runs(row, 26 + number * _HIGH)),
            "</g>",
            "</svg>\n",
        ]
    )


def _rows(line: str, columns: int) -> Iterator[list[_Cell]]:
    """Yield the cells of a line, as a terminal of this width breaks it."""
    cells: list[_Cell] = []
    colour, bold = "", False
    for position, piece in enumerate(_CODE.split(line)):
        if position % 2:
            for code in piece.split(";"):
                reset = code in ("", "0", "00")
                colour = _COLOURS.get(code, "" if reset or code == "39" else colour)
                bold = code in ("1", "01") or (bold and not reset)
        else:
            cells += [_Cell(0, character, colour, bold) for character in piece if character.isprintable()]
    for start in range(0, len(cells) or 1, columns):
        yield [cell._replace(column=place) for place, cell in enumerate(cells[start : start + columns])]


def _runs(row: list[_Cell], y: int) -> Iterator[str]:
    """Yield a text element for each word of one style, and for each run of words with one space between."""
    for (colour, bold), group in groupby(row, key=lambda cell: (cell.colour, cell.bold)):
        cells = list(group)
        for run in re.finditer(r"\S+(?: \S+)*", "".join(cell.character for cell in cells)):
            x = 16 + (cells[0].column + run.start()) * _WIDE
            style = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "")
            length = len(run[0]) * _WIDE
            yield (
                f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"{style}>'
                f"{escape(run[0])}</text>"
            )
