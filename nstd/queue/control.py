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
_MOST_BYTES = 2**16
"""The most bytes that are read of a request: members of the service's group may write any file."""


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
        """`refuse` is called once for each request that cannot be read or removed."""
        self._folder, self._files, self._refuse = work / REQUESTS, files, refuse
        self._stuck: set[Path] = set()

    def write(self, request: ControlRequest) -> None:
        """Write a request for the daemon. Raises OSError."""
        self._files.make_folder(self._folder)
        text = json.dumps({"action": request.action, "job": request.job})
        self._files.write(self._folder / f"{secrets.token_hex(8)}.json", text.encode())

    @property
    def is_empty(self) -> bool:
        """Whether there is no request that can be taken."""
        return not {path for path in self._folder.glob("*.json") if _is_request(path)} - self._stuck

    def take(self) -> Iterator[ControlRequest]:
        """Every request, oldest first; each is durably removed before it is yielded.

        A request that cannot be read or removed is skipped, and tried again at the next call. If
        it were yielded, it would be carried out again and again, and after a power cut perhaps for
        another sidecar of the same name.
        """
        before, self._stuck = self._stuck, set()
        for path in self._paths(before):
            try:
                request = _read(path)
                self._files.unlink(path)
                self._files.sync_folder(self._folder)
            except OSError as error:
                self._skip(path, error, before)
                continue
            if request is not None:
                yield request

    def _paths(self, before: set[Path]) -> list[Path]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - glob hides a folder that is closed
        except FileNotFoundError:
            return []
        except OSError as error:
            self._skip(self._folder, error, before)
            return []
        paths = (self._folder / name for name in names if name.endswith(".json"))
        return sorted(filter(_is_request, paths), key=_age)

    def _skip(self, path: Path, error: OSError, before: set[Path]) -> None:
        self._stuck.add(path)
        if path not in before and self._refuse is not None:
            self._refuse(path, error)


def _is_request(path: Path) -> bool:
    """Whether it may be a request: anything but a folder, which cannot be removed as a file."""
    return path.is_symlink() or not path.is_dir()


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


def _read(path: Path) -> ControlRequest | None:
    """The request in a file; None for a broken one. Raises OSError when it cannot be read."""
    try:
        with Folder(path.parent).open(path.name) as file:
            fields = json.loads(file.read(_MOST_BYTES))
        action, job = fields["action"], fields["job"]
    except (FileNotFoundError, SidecarError, ValueError, KeyError, TypeError):
        return None
    return (
        ControlRequest(action, job) if action in get_args(Action) and isinstance(job, str) else None
    )
