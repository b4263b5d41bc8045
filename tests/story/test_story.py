"""The short form of the story: fewer photographs, and a backend without a network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from support import CHECKOUT


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_story_of_a_folder_with_a_recipe_is_true(
    record_property: Callable[[str, object], None],
) -> None:
    """A changed recipe, a mistake, a night's pause, a power cut, expiry: each step is checked."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.story", "--short"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    record_property("session", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "things were checked" in done.stdout.splitlines()[-1]
