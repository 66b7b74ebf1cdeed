"""`python -m pytest_tfgpu`: the same as the command `tfgpu`."""

from __future__ import annotations

import sys

from pytest_tfgpu.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
