"""A judge: any program that is called with pictures and prints figures."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nstd.errors import BenchError, printable

TIMEOUT = 600.0
_HINT = "it is called as COMMAND RESULT CONTENT STYLE and prints figures like `style 0.45`"
_FIGURE = re.compile(
    r"""
    (?<![\w.]) ([A-Za-z_][\w-]*)                # a word
    (?:\s+|\s*[:=]\s*)
    ([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?) # its number
    (?![\w.])
    """,
    re.VERBOSE,
)


def parse_figures(text: str) -> dict[str, float]:
    """Every `word number` in `text`; other text is ignored."""
    return {name: float(number) for name, number in _FIGURE.findall(text)}


@dataclass(frozen=True)
class Judge:
    """The program of a command line, run without a shell."""

    command: tuple[str, ...]

    @classmethod
    def of(cls, line: str) -> Judge:
        """The judge of a command line. Raises ValueError for one that is empty or unbalanced."""
        command = tuple(shlex.split(line))
        if not command:
            raise ValueError("the command is empty")
        return cls(command)

    def figures(self, result: Path, content: Path, style: Path) -> dict[str, float]:
        """Its figures for a picture. Raises BenchError `judge_failed`."""
        pictures = [str(path.resolve()) for path in (result, content, style)]
        try:
            done = subprocess.run(
                [*self.command, *pictures],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )
        except OSError as error:
            raise self._failed(result, error.strerror or str(error)) from None
        except subprocess.TimeoutExpired:
            raise self._failed(result, f"no answer within {TIMEOUT:g} s") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise self._failed(result, f"exit status {done.returncode}: {said[0]}")
        if not (figures := parse_figures(done.stdout)):
            raise self._failed(result, f"no figures in {done.stdout.strip()[:80]!r}")
        return figures

    def _failed(self, result: Path, what: str) -> BenchError:
        program = printable(Path(self.command[0]).name)
        message = f"the judge {program} on {printable(result)}: {printable(what)}"
        return BenchError("judge_failed", message, _HINT)
