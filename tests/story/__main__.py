"""`python -m tests.story`: the story of a folder with a recipe, as a session at a terminal.

Every step checks what it says; the command ends with an error where something is not so. With
`--short` it takes some photographs, and a backend without a network.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run by itself: the tests' own helpers

from story.photographs import COUNT
from story.plot import Story
from story.terminal import Terminal


def main() -> int:
    """Tell it; what is left of it is kept if something is wrong, or if somebody asks for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.story", description=__doc__)
    parser.add_argument("--short", action="store_true", help="some photographs, no network")
    parser.add_argument("--keep", type=Path, help="a new folder, in which it happens and stays")
    parser.add_argument("--screenshot", type=Path, help="a PNG of the gallery; needs chromium")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="story-"))
    folder.mkdir(exist_ok=True)
    began = time.monotonic()
    terminal, is_good = Terminal(folder, sys.stdout), False
    try:
        backend, options = "gatys", "preset=draft network=fixed"
        if given.short:
            backend, options = "color-transfer", "backend=color-transfer"
        story = Story(terminal, 8 if given.short else COUNT, backend=backend, options=options)
        story.tell(partial(photograph, given.screenshot) if given.screenshot else None)
        is_good = True
    finally:
        terminal.close()
        if is_good and given.keep is None:
            shutil.rmtree(folder)
    print(f"# {terminal.checked} things were checked, in {time.monotonic() - began:.0f} s")
    return 0


def photograph(target: Path, outbox: Path) -> None:
    """The gallery as a browser shows it."""
    from support import browser

    with tempfile.TemporaryDirectory() as profile:
        driver = browser.start(Path(profile))
        try:
            browser.Page(driver)  # the size of a window
            driver.get((outbox / "index.html").as_uri())
            time.sleep(5)  # its pictures come
            if not driver.save_screenshot(str(target)):
                sys.exit(f"{target} could not be written")
        finally:
            driver.quit()


if __name__ == "__main__":
    sys.exit(main())
