"""The pictures that sidecars and recipes name, as one scan of the inbox sees them."""

from __future__ import annotations

from typing import NamedTuple

from nstd.intake.locator import Found, Locator
from nstd.intake.stability import Stability


class PictureState(NamedTuple):
    """The state of a picture in this scan."""

    picture: Found | None
    is_stable: bool


class Pictures:
    """A picture that is named by many is checked once in a scan."""

    def __init__(self, stability: Stability) -> None:
        self._stability = stability
        self._known: dict[tuple[str, str], PictureState] = {}

    def begin(self, locator: Locator) -> None:
        """Start a scan."""
        self._locator = locator
        self._known.clear()

    def look(self, name: str, source: str) -> PictureState:
        """The picture that the file `name` calls `source`. Raises SidecarError and OSError."""
        key = (name.rpartition("/")[0], source)
        if key not in self._known:
            found = self._locator.find(name, source)
            stable = found is not None and self._stability.is_stable(found.key, found.signature)
            self._known[key] = PictureState(found, stable)
        return self._known[key]

    def found(self) -> list[Found]:
        """All that were there."""
        return [each.picture for each in self._known.values() if each.picture]
