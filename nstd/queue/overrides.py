"""What people have asked about sidecars that are still in the inbox: to hold them, a priority.

It is durable in `work/overrides.json`, because the inbox belongs to the people, and another daemon
may watch it, too. Once a sidecar is claimed, its `job.json` says the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nstd.system.durable import Files
from nstd.system.layout import OVERRIDES


class Override(NamedTuple):
    """What is different from what the sidecar says."""

    held: bool = False
    priority: int | None = None


class Overrides:
    """The overrides, by the names of sidecars relative to the inbox."""

    def __init__(self, work: Path, files: Files) -> None:
        self._path, self._files = work / OVERRIDES, files
        self._known: dict[str, Override] | None = None
        self._is_saved = True

    def load(self) -> None:
        """Read the file, if that has not happened yet. Raises OSError."""
        self._all()

    def get(self, name: str) -> Override:
        """That of the sidecar `name`."""
        return self._all().get(name, Override())

    @property
    def held(self) -> int:
        """How many sidecars are held."""
        return sum(each.held for each in self._all().values())

    def change(self, name: str, changes: Mapping[str, Any]) -> bool:
        """Change that of the sidecar `name`, durably; False if it is so already. Raises OSError."""
        before = self.get(name)
        after = before._replace(**changes)
        if after != before:
            self._all()[name] = after
            self._is_saved = False
        self.save()
        return after != before

    def discard(self, name: str) -> None:
        """Forget the sidecar `name`, which was claimed; `save` makes it durable."""
        self._is_saved = self._all().pop(name, None) is None and self._is_saved

    def forget(self, names: set[str], hidden: tuple[str, ...]) -> None:
        """Keep those of the sidecars `names`, and in folders that are `hidden` now. Raises
        OSError."""
        for gone in self._all().keys() - names:
            if not gone.startswith(hidden):
                self.discard(gone)
        self.save()

    def save(self) -> None:
        """Write the file if something has changed. Raises OSError; then it is still to be done."""
        if self._is_saved:
            return
        said = {name: each for name, each in self._all().items() if each != Override()}
        sidecars = {name: each._asdict() for name, each in said.items()}
        text = json.dumps({"sidecars": sidecars, "schema_version": 1}, indent=1)
        self._files.write(self._path, text.encode())
        self._is_saved = True

    def _all(self) -> dict[str, Override]:
        if self._known is None:
            self._known = read_overrides(self._path.parent)
        return self._known


def read_overrides(work: Path) -> dict[str, Override]:
    """The overrides in the folder `work`; none from a damaged file. Raises OSError."""
    try:
        sidecars = json.loads((work / OVERRIDES).read_bytes())["sidecars"]
        return {name: _parse(each) for name, each in sidecars.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # only a person can have damaged it


def _parse(fields: Mapping[str, Any]) -> Override:
    priority = fields.get("priority")
    return Override(bool(fields.get("held")), priority if isinstance(priority, int) else None)
