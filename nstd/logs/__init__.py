"""The structured log: the events, the file, the console, and reading it back."""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.logs.log import Logging, emit
    from nstd.logs.reader import LogReader

__all__ = ["LogReader", "Logging", "emit"]

__getattr__ = hand_on(__name__, {"emit": "log", "Logging": "log", "LogReader": "reader"})
