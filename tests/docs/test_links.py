"""Where links lead."""

from __future__ import annotations

import pytest

from .pages import Page, all_pages


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page) -> None:
    """A link inside the project leads to a file that exists, and to a heading that is there."""
    for link in page.links:
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists(), f"{link}: there is no {target}"
        if anchor:
            assert anchor in Page(target).anchors, f"{link}: there is no such heading"


def test_every_page_can_be_reached() -> None:
    """From the README links lead, over other pages, to every page."""
    pages = {page.path: page for page in all_pages()}
    seen, queue = set(), [page for page in pages.values() if page.name == "README.md"]
    while queue:
        page = queue.pop()
        if page.path in seen:
            continue
        seen.add(page.path)
        targets = [(page.path.parent / link.partition("#")[0]).resolve() for link in page.links]
        queue += [pages[target] for target in targets if target in pages]
    assert set(pages) - seen == set()
