"""The daemon: its loop, the pipeline whose parts the loop calls, and signals and requests."""

from typing import TYPE_CHECKING

from nstd.system.lazy import lazy_exports

if TYPE_CHECKING:
    from nstd.daemon.daemon import Daemon as Daemon

__getattr__ = lazy_exports(__name__, Daemon="daemon")
