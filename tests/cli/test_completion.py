"""Completion in a shell, by the line of the manual."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from manual.documents import marked, page
from support.playground import Playground


def completed(playground: Playground, words: str, *, shell: str = "bash") -> list[str]:
    """What the command proposes for the last of `words`, without the kind of each."""
    split = words.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", "from nstd.cli import main; main()"],
        env=playground.environment
        | {"NSTD_CONFIG": str(playground.config_path)}
        | {"_NSTD_COMPLETE": f"{shell}_complete", "COMP_WORDS": words}
        | {"COMP_CWORD": str(len(split) - 1)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_options_and_choices_are_completed(playground: Playground) -> None:
    """As far as what is typed says."""
    assert completed(playground, "nstd sub") == ["submit"]
    assert {"init", "run", "logs"} <= set(completed(playground, "nstd "))
    assert "--wait" in completed(playground, "nstd submit --")
    assert completed(playground, "nstd logs --level w") == ["warning"]
    assert "--config" in completed(playground, "nstd --")


def test_jobs_are_completed_by_the_places_where_a_command_looks(playground: Playground) -> None:
    """`retry` proposes what has failed, `logs` what is done too; no config is no error."""
    playground.pair("beach")
    playground.pair("beach-bad", options={"act": "raise"})
    playground.once()
    playground.pair("beach-late")
    assert completed(playground, "nstd retry bea") == ["beach-bad"]
    assert set(completed(playground, "nstd logs bea")) == {"beach", "beach-bad"}
    assert set(completed(playground, "nstd cancel bea")) == {"beach-late", "beach-late.yaml"}
    playground.config_path.unlink()
    assert completed(playground, "nstd retry bea") == []


def test_the_line_of_the_manual_makes_bash_complete(playground: Playground) -> None:
    """Bash takes it, and asks us for the words of `nstd`."""
    (line,) = re.findall(r"```sh\n(.*)\n```", marked(page("commands"))["completion"])
    program = playground.folder / "bin" / "nstd"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nstd "$@"\n')
    program.chmod(0o755)
    script = f"""
PATH={program.parent}:$PATH
{line}
complete -p nstd
COMP_WORDS=(nstd stat) COMP_CWORD=1
_nstd_completion nstd stat nstd
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script],
        env=playground.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told, *words = done.stdout.splitlines()
    assert "_nstd_completion nstd" in told
    assert words == ["status"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_of_their_own(playground: Playground, shell: str) -> None:
    """The one that the manual names for them."""
    assert f"{shell}_source" in page("commands")
    done = playground.command("--help", env={"_NSTD_COMPLETE": f"{shell}_source"})
    assert "_NSTD_COMPLETE" in done.stdout
