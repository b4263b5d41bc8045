"""Requests to the daemon: a file each in `work/.requests`, so that the daemon need not run.

Only the daemon moves jobs; the commands only write a request, and it is durable.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Literal, get_args

from nstd.errors import SidecarError, printable
from nstd.queue.start_pause import StartPause
from nstd.system.durable import Files
from nstd.system.layout import REQUESTS
from nstd.system.nofollow import Folder

Action = Literal["cancel", "retry", "again", "hold", "release", "priority", "pause", "resume"]
_AT_MOST_ONCE = {"cancel", "retry"}
"""Carried out again, they might hit another sidecar of that name, or start a job anew once more. A
kill at that moment loses them; all others are carried out until their file is removed."""
HIGHEST = 100
"""The highest priority."""
_MOST_BYTES = 2**16
"""The most bytes that are read of a request: members of the service's group may write any file."""
_LONGEST_REASON = 500
_TIMED = re.compile(r"(\d{19})-")
_LATEST = 253_402_300_799  # the end of the year 9999, the last that Python knows


@dataclass(frozen=True)
class ControlRequest:
    """A request of a person.

    `job` is the id of a job or a batch, or the name of a sidecar that is still in the inbox; a name
    that ends with a slash is a folder of the inbox. `priority` is for `priority`; `until` (seconds
    since the epoch; None: until it is resumed), `reason` and `now` (running jobs are saved and wait
    again) are for `pause`. `again` makes a folder anew: all that was made `until` then, and what
    lies in `staged`, a hidden folder of the inbox.
    """

    action: Action
    job: str = ""
    priority: int | None = None
    until: float | None = None
    reason: str = ""
    now: bool = False
    staged: str = ""

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be carried out twice with the same result."""
        return self.action not in _AT_MOST_ONCE

    @property
    def is_valid(self) -> bool:
        """Whether its values are of the right types, and complete."""
        return (
            isinstance(self.action, str)
            and self.action in get_args(Action)
            and isinstance(self.job, str)
            and isinstance(self.reason, str)
            and isinstance(self.now, bool)
            and (self.until is None or _is_between(self.until, 0, _LATEST))
            and (self.priority is None or isinstance(self.priority, int))
            and (self.priority is None or _is_between(self.priority, 0, HIGHEST))
            and (self.priority is not None or self.action != "priority")
            and bool(self.job) != (self.action in {"pause", "resume"})
            and (self.action != "again" or (self.until is not None and self.job.endswith("/")))
            and isinstance(self.staged, str)
        )

    def describe(self) -> str:
        """The request in the words of its command."""
        if self.action == "pause":
            pause = StartPause(cause="person", since=0.0, until=self.until, reason=self.reason)
            return f"pause: {pause.describe()}"
        value = "" if self.priority is None else str(self.priority)
        return " ".join(filter(None, [self.action, self.job, value]))


class ControlRequests:
    """The folder of requests."""

    def __init__(
        self, work: Path, files: Files, refuse: Callable[[Path, OSError], None] | None = None
    ) -> None:
        """`refuse` is called once for each request that cannot be read or removed."""
        self._folder, self._files, self._refuse = work / REQUESTS, files, refuse
        self._stuck: set[Path] = set()
        self._done: set[Path] = set()  # carried out, and not removed yet

    def write(self, request: ControlRequest) -> None:
        """Write a request for the daemon. Raises OSError."""
        self._files.make_folder(self._folder)
        fields = asdict(request)
        said = {key: value for key, value in fields.items() if value != _UNSAID[key]}
        text = json.dumps({"job": request.job} | said)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}.json"  # a copy has another mtime
        self._files.write(self._folder / name, text.encode())

    def pending(self) -> list[ControlRequest]:
        """The requests that wait to be carried out, oldest first, as far as they can be read."""
        found = []
        for path in self._paths(set()):
            with suppress(OSError):
                found.append(_read(path))
        return [request for request in found if request is not None]

    @property
    def is_empty(self) -> bool:
        """Whether there is no request that can be taken; a folder that cannot be read has none
        once `take` has told of it."""
        try:
            paths = _requests(self._folder)
        except OSError:
            return self._folder in self._stuck
        return not paths - self._stuck

    def take(self) -> Iterator[ControlRequest]:
        """Every request, oldest first, to be carried out before the next one is asked for.

        Those that may be repeated are removed after that, the others before. A request that cannot
        be read or removed is skipped, and tried again at the next call: carried out before its
        removal, a cancel would be again and again, perhaps for another sidecar of the same name.
        """
        before, self._stuck = self._stuck, set()
        for path in self._paths(before):
            try:
                request = None if path in self._done else _read(path)
                if request is not None and request.is_repeatable:
                    yield request
                    self._done.add(path)
                    request = None
                self._remove(path)
            except OSError as error:
                self._skip(path, error, before)
                continue
            if request is not None:
                yield request

    def _remove(self, path: Path) -> None:
        self._files.unlink(path)
        self._files.sync_folder(self._folder)
        self._done.discard(path)

    def _paths(self, before: set[Path]) -> list[Path]:
        try:
            return sorted(_requests(self._folder), key=_age)
        except OSError as error:
            self._skip(self._folder, error, before)
            return []

    def _skip(self, path: Path, error: OSError, before: set[Path]) -> None:
        self._stuck.add(path)
        if path not in before and self._refuse is not None:
            self._refuse(path, error)


def _requests(folder: Path) -> set[Path]:
    """What may be a request: anything but a folder, which cannot be removed as a file.

    Raises OSError.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - glob hides a folder that is closed
    except FileNotFoundError:
        return set()
    paths = (folder / name for name in names if name.endswith(".json"))
    return {path for path in paths if path.is_symlink() or not path.is_dir()}


def _age(path: Path) -> tuple[int, str]:
    """When it was written: as its name says, else its mtime; in nanoseconds."""
    if match := _TIMED.match(path.name):
        return int(match[1]), path.name
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


def _read(path: Path) -> ControlRequest | None:
    """The request in a file; None for a broken one. Raises OSError when it cannot be read."""
    try:
        with Folder(path.parent).open(path.name) as file:
            fields = json.loads(file.read(_MOST_BYTES))
        known = {key: fields[key] for key in _UNSAID if key in fields}
        request = ControlRequest(**known)
    except (FileNotFoundError, SidecarError, ValueError, KeyError, TypeError):
        return None
    if not request.is_valid:
        return None
    return replace(request, reason=printable(request.reason)[:_LONGEST_REASON])


def _is_between(value: object, least: float, most: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and least <= value <= most  # type: ignore[operator]


_UNSAID = {each.name: each.default for each in dataclass_fields(ControlRequest)}
"""The value of each key that a file need not have."""
