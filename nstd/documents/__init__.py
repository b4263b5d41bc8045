"""Reads the files that people write, strictly: config and sidecars, with grids and JSON Schemas.

The package defines the form of these files, not what is done with them.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.documents.config import Config, load_config
    from nstd.documents.sidecar import parse_sidecar

__all__ = ["Config", "load_config", "parse_sidecar"]

__getattr__ = hand_on(
    __name__, {"Config": "config", "load_config": "config", "parse_sidecar": "sidecar"}
)
