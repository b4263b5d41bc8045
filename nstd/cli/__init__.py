"""The commands of nstd, one module each; slow imports are made only when a command runs."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; signals are handled before the slow imports."""
    _use_utf8()
    if arguments is None and "run" in sys.argv[1:]:
        from nstd.daemon.wakeup import hold_sighup

        hold_sighup()
    from nstd.cli import app

    return app.main(arguments)


def _use_utf8() -> None:
    """Start this process again in Python's UTF-8 mode if the encoding of file names is another.

    With LANG=C and that mode turned off, a picture named `é.jpg` could not be opened.
    """
    if sys.getfilesystemencoding() == "utf-8" or "utf8" in sys._xoptions:
        return
    arguments = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    os.execve(sys.executable, arguments, {**os.environ, "PYTHONUTF8": "1"})  # noqa: S606
