"""Make anew what ships with the package: `python -m tests.making NAME...`, from the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from making.manifest import MADE, remake


def main(names: list[str]) -> int:
    """Make the named files, all without a name; 2 for a name that is none."""
    if unknown := [name for name in names if name not in MADE]:
        print(f"nothing is called {', '.join(unknown)}; there are {', '.join(MADE)}")
        return 2
    for name in names or MADE:
        print(f"making {name}", flush=True)
        remake(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
