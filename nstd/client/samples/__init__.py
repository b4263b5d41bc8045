"""The sample pairs for the first run: two scenes and two styles, drawn by this project."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from nstd.documents.sidecar_writer import dump

PAIRS: dict[str, tuple[str, str]] = {
    "harbour-in-swirls": ("harbour.jpg", "swirls.jpg"),
    "sunflowers-in-mosaic": ("sunflowers.jpg", "mosaic.jpg"),
}
"""The file names of each pair's content and style."""


def sample_path(name: str) -> Path:
    """The file of a picture of the pairs."""
    return Path(str(files(__name__).joinpath(name)))


def copy_to(inbox: Path, keys: Mapping[str, Any] | None = None) -> list[Path]:
    """Put the pairs into `inbox`, pictures first; returns the paths of the sidecars.

    `keys` has more keys for both sidecars. Every file appears by a rename and replaces a file
    with the same name.
    """
    for name in sorted({name for pair in PAIRS.values() for name in pair}):
        _drop(inbox / name, files(__name__).joinpath(name).read_bytes())
    sidecars = []
    for pair, (content, style) in PAIRS.items():
        sidecars.append(inbox / f"{pair}.yaml")
        sidecar = {"content": content, "style": style, **(keys or {})}
        _drop(sidecars[-1], dump(sidecar))
    return sidecars


def _drop(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(target)
