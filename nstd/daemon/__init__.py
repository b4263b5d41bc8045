"""The daemon: one loop, the pipeline that it turns, and what interrupts it."""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.daemon.daemon import Daemon

__all__ = ["Daemon"]

__getattr__ = hand_on(__name__, {"Daemon": "daemon"})
