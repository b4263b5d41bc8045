"""The backends that ship with nstd, and the registry that finds all backends.

Torch is imported only by `gatys`, and only in worker processes.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import lazy_exports

if TYPE_CHECKING:
    from nstd.backends.registry import Backends as Backends

__getattr__ = lazy_exports(__name__, Backends="registry")
