"""Make the files of docs/gallery; without `--write`, only say what would change."""

from __future__ import annotations

import sys

from .make import FOLDER, make, photograph, write

if __name__ == "__main__":
    made = make()
    if sys.argv[1:] != ["--write"]:
        stale = [name for name, text in made.items() if (FOLDER / name).read_text("utf-8") != text]
        print("\n".join(stale) or "Nothing would change.")
        sys.exit(bool(stale))
    FOLDER.mkdir(exist_ok=True)
    changed = write(made)
    if "report.html" in changed:
        photograph()
    print("\n".join(changed) or "Nothing has changed.")
