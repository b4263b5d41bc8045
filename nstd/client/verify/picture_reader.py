"""Has pictures read in a child process: a decoder may crash, or take for ever."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from nstd.system.child import import_path

_SECONDS = 120.0
"""The time limit for one picture."""


class ReadPicture(NamedTuple):
    """The SHA-256 of a file, and why it cannot be decoded; "": it can."""

    sha256: str
    error: str


class PictureReader:
    """One process for all pictures of `folder`; a new one after each that ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def read(
        self,
        name: str,
        width: int | None = None,
        height: int | None = None,
        frames: int | None = None,
    ) -> ReadPicture:
        """Read the picture or film `name`, relative to the folder.

        Its size in pixels, and the number of its frames, are those of the record.
        """
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps([name, width, height, frames]).encode() + b"\n")
            process.stdin.flush()
        line, is_late = _line_of(process)
        if line:
            return ReadPicture(**json.loads(line))
        self.close()
        took = f"its decoding took more than {_SECONDS:g} s" if is_late else "its decoder crashed"
        return ReadPicture("", took)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "nstd.images.verify", str(self._folder)],
            env={**os.environ, **import_path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line_of(process: subprocess.Popen[bytes]) -> tuple[bytes, bool]:
    """The next line that the process prints, or b"" and whether it took too long."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(_SECONDS):
            return b"", True
    return process.stdout.readline(), False
