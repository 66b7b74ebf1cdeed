"""The catalogue as the command sees it: the built-in causes and those of installed packages."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from pytest_tfgpu.knowledge.catalog import Catalog, CatalogError, load

GROUP = "pytest_tfgpu"
"""The entry-point group whose objects may hold `pytest_tfgpu_causes`."""


def load_all() -> Catalog:
    """Return the catalogue with the causes of other packages; one that is faulty is named and left out."""
    catalog = load()
    for entry in entry_points(group=GROUP):
        try:
            provide = getattr(entry.load(), "pytest_tfgpu_causes", None)
            if provide is not None:
                catalog = catalog.extended([(entry.name, provide())])
        except CatalogError as error:
            print(f"tfgpu: left out: {error}", file=sys.stderr)
        except Exception as error:
            print(f"tfgpu: left out: {entry.name}: {type(error).__name__}: {error}", file=sys.stderr)
    return catalog
