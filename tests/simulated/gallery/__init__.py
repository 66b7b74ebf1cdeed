"""Every report of one session on simulated GPUs: `python -m tests.simulated.gallery --write` makes docs/gallery."""
