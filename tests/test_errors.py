"""Words of messages that a person pastes into a shell."""

from __future__ import annotations

import os
import subprocess

import pytest

from nstd.errors import in_shell

NAMES = ["beach.jpg", "my beach.jpg", "it's", "a\\b'c", "$HOME", "two\nlines", "~/x", "é", "-n", ""]


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"caf\xe9 'n' \\ \x1b[1m")])
def test_advice_survives_a_shell_as_pasted(name: str) -> None:
    """Whatever a file is called, the command gets that name, and the advice is one clean line."""
    word = in_shell(name)
    assert word.isprintable()
    done = subprocess.run(
        ["bash", "-c", f"printf %s\\\\0 {word}"], stdout=subprocess.PIPE, check=True
    )
    assert os.fsdecode(done.stdout) == f"{name}\0"
