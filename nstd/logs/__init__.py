"""The structured log: the events, the file, the console, and reading it back."""

from typing import TYPE_CHECKING

from nstd.system.lazy import lazy_exports

if TYPE_CHECKING:
    from nstd.logs.log import Logging as Logging
    from nstd.logs.log import emit as emit
    from nstd.logs.reader import LogReader as LogReader

__getattr__ = lazy_exports(__name__, emit="log", Logging="log", LogReader="reader")
