"""Requests to the daemon: a file each in `work/.requests`, so that the daemon need not run.

Only the daemon moves jobs; the commands only write a request, and it is durable.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from nstd.errors import SidecarError
from nstd.system.durable import Files
from nstd.system.layout import REQUESTS
from nstd.system.nofollow import Folder

Action = Literal["cancel", "retry"]
_NOTE = 2**16
"""The bytes that are read of a note, at most; people of the service's group may leave any file."""


@dataclass(frozen=True)
class ControlRequest:
    """A request about one job: its id, or the name of a sidecar that is still in the inbox."""

    action: Action
    job: str


class ControlRequests:
    """The folder of requests."""

    def __init__(
        self, work: Path, files: Files, refuse: Callable[[Path, OSError], None] | None = None
    ) -> None:
        """`refuse` hears once of each note that cannot be read or removed."""
        self._folder, self._files, self._refuse = work / REQUESTS, files, refuse
        self._stuck: set[Path] = set()

    def leave(self, request: ControlRequest) -> None:
        """Write a request for the daemon. Raises OSError."""
        self._files.make_folder(self._folder)
        note = json.dumps({"action": request.action, "job": request.job})
        self._files.write(self._folder / f"{secrets.token_hex(8)}.json", note.encode())

    @property
    def is_empty(self) -> bool:
        """Whether no note waits that could be taken."""
        return not {path for path in self._folder.glob("*.json") if _is_note(path)} - self._stuck

    def take(self) -> Iterator[ControlRequest]:
        """Every request, oldest first; each is durably removed before it is yielded.

        One that cannot be read or removed is passed over, and tried again at the next call: it
        would be heeded again and again, and after a power cut perhaps about another sidecar of
        the same name.
        """
        before, self._stuck = self._stuck, set()
        for path in self._notes(before):
            try:
                request = _read(path)
                self._files.unlink(path)
                self._files.sync_folder(self._folder)
            except OSError as error:
                self._pass_over(path, error, before)
                continue
            if request is not None:
                yield request

    def _notes(self, before: set[Path]) -> list[Path]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - glob hides a folder that is closed
        except FileNotFoundError:
            return []
        except OSError as error:
            self._pass_over(self._folder, error, before)
            return []
        paths = (self._folder / name for name in names if name.endswith(".json"))
        return sorted(filter(_is_note, paths), key=_age)

    def _pass_over(self, path: Path, error: OSError, before: set[Path]) -> None:
        self._stuck.add(path)
        if path not in before and self._refuse is not None:
            self._refuse(path, error)


def _is_note(path: Path) -> bool:
    """Anything but a folder, which cannot be removed like a note and asks for nothing."""
    return path.is_symlink() or not path.is_dir()


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


def _read(path: Path) -> ControlRequest | None:
    """What a note asks, or None for a broken one. Raises OSError when it cannot be read."""
    try:
        with Folder(path.parent).open(path.name) as file:
            note = json.loads(file.read(_NOTE))
        action, job = note["action"], note["job"]
    except (FileNotFoundError, SidecarError, ValueError, KeyError, TypeError):
        return None
    return (
        ControlRequest(action, job) if action in get_args(Action) and isinstance(job, str) else None
    )
