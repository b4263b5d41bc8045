"""The daemon: its loop, the pipeline whose parts the loop calls, and signals and requests."""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.daemon.daemon import Daemon

__all__ = ["Daemon"]

__getattr__ = hand_on(__name__, {"Daemon": "daemon"})
