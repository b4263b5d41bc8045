"""A judge: the one that is built in, or any program that prints figures of pictures."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from nstd.backends.weights import find
from nstd.errors import BenchError, printable

TIMEOUT = 600.0
BUILT_IN, MODULE = "vgg19", "nstd.bench.judge_vgg19"
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
    def of(cls, line: str, networks: Path) -> Judge:
        """The judge of a command line, or for `vgg19` the one that is built in.

        That needs the weights of the network, perhaps in the folder `networks`. Raises WeightsError
        if there are none, and ValueError for a line that is empty or unbalanced.
        """
        if line.strip() == BUILT_IN:
            weights = find("vgg19", networks).path
            return cls((sys.executable, "-m", MODULE, str(weights)))
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
        program = BUILT_IN if MODULE in self.command else printable(Path(self.command[0]).name)
        message = f"the judge {program} on {printable(result)}: {printable(what)}"
        return BenchError("judge_failed", message, _HINT)
