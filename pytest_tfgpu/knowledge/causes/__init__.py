"""The causes, one per file."""
