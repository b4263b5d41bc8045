"""The backends that ship with nstd, and the registry that finds all backends.

Torch is imported only by `gatys`, and only in worker processes.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.backends.registry import Backends

__all__ = ["Backends"]

__getattr__ = hand_on(__name__, {"Backends": "registry"})
