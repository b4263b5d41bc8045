"""A person at a shell who pastes what a document says, in a home of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from support.playground import Playground

QUICK = """
import sys
if any("nstd.executors.worker" in word for word in sys.orig_argv):
    from dataclasses import replace
    from nstd.backends.gatys.networks import NETWORKS
    for name, spec in NETWORKS.items():
        NETWORKS[name] = replace(spec, budgets=dict.fromkeys(spec.budgets, (1,)))
"""
"""Real pictures, with one evaluation on each level instead of some hundred."""


class Session:
    """A shell whose home, with the commands `nstd` and `python`, is a playground's folder."""

    def __init__(self, playground: Playground) -> None:
        playground.sabotage(QUICK)
        self.home = playground.folder / "home"
        self.clone = playground.folder / "clone"
        programs = self.clone / ".venv" / "bin"
        programs.mkdir(parents=True)
        self.home.mkdir()
        for name, module in (("nstd", "-m nstd"), ("python", "")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
            program.chmod(0o755)
        (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
        self._environment = playground.environment | {"HOME": str(self.home)}

    def start(self, script: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start bash with the lines of `script`; it ends at the first that fails."""
        return subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=cwd or self.clone,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def paste(self, blocks: Iterable[str], cwd: Path | None = None) -> str:
        """Run blocks of commands one after the other; what they print."""
        with self.start("\n".join(blocks), cwd) as process:
            said, _ = process.communicate(timeout=800)
        assert process.returncode == 0, said
        return said


def draw(folder: Path, *names: str) -> None:
    """Put small pictures with something on them into a folder."""
    for number, name in enumerate(names):
        picture = Image.linear_gradient("L").rotate(90 * number).resize((48, 32))
        (picture.convert("RGB") if name.endswith(".jpg") else picture).save(folder / name)
