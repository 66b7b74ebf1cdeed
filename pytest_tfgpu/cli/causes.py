"""`tfgpu causes`: the catalogue as a list."""

from __future__ import annotations

import argparse
import json

from pytest_tfgpu.cli._catalog import load_all
from pytest_tfgpu.cli._terminal import columns, wrap

SUMMARY = "List the causes that failures are put down to."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the causes by category; return 0."""
    catalog = load_all()
    if arguments.json:
        rows = [
            {
                "id": cause.id,
                "category": cause.category,
                "summary": cause.summary,
                "provider": catalog.provider(cause.id),
            }
            for cause in catalog
        ]
        print(json.dumps(rows, indent=2))
        return 0
    width = columns()
    categories = dict.fromkeys(("environment", "memory", "operation", "code", "hardware", "not-gpu"))
    for category in categories:
        print(f"{category}:")
        for cause in sorted((cause for cause in catalog if cause.category == category), key=lambda c: c.id):
            print(f"  {cause.id}")
            print("\n".join(wrap(f"      {cause.summary}", width, "      ")))
        print()
    print("tfgpu explain CAUSE tells more.")
    return 0
