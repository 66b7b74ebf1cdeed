"""Tests of README, docs and the other pages: what they say exists, and what they show happens."""
