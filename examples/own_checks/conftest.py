"""What this team adds to pytest-tfgpu: a check of what its models live on, and a fact that only its machines know."""

import json
from pathlib import Path

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_tfgpu_checks():
    from pytest_tfgpu import Check

    return [
        Check(
            name="attention",
            run="team_checks:attention",
            summary="Scaled dot-product attention is right.",
            dtypes=("float32",),
        ),
        Check(name="two-devices", run="team_checks:two_devices", summary="Two GPUs exchange data."),
    ]


@pytest.hookimpl(optionalhook=True)
def pytest_tfgpu_facts():
    node = json.loads(Path(__file__).with_name("node.json").read_text("utf-8"))
    return {"driver": node["driver"]}
