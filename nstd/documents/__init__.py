"""Reads the files that people write, strictly: config and sidecars, with grids and JSON Schemas.

The package defines the form of these files, not what is done with them.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import lazy_exports

if TYPE_CHECKING:
    from nstd.documents.config import Config as Config
    from nstd.documents.config import load_config as load_config
    from nstd.documents.sidecar import parse_sidecar as parse_sidecar

__getattr__ = lazy_exports(__name__, Config="config", load_config="config", parse_sidecar="sidecar")
