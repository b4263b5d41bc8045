"""Which sidecars are ready: events are hints, the directory is the truth.

A sidecar is ready when it is stable, and so is every picture that it names; or when it never
will be, and then it carries the error that says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from nstd.config import Config
from nstd.errors import NstdError, SidecarError, printable
from nstd.locate import Found, Locator
from nstd.log import emit
from nstd.names import is_ignored, is_sidecar
from nstd.roots import Root, Signature
from nstd.sidecar import MAX_BYTES, SidecarFile, parse_sidecar
from nstd.stability import Stability

_DEPTH = 16
_FIRST = 101  # above every priority: what is refused is answered at once


@dataclass(frozen=True)
class Ready:
    """A sidecar that can be claimed: with all its pictures, or with the error that it met."""

    name: str  # relative to the inbox
    signature: Signature
    parsed: SidecarFile | None
    pictures: tuple[Found, ...] = ()
    error: NstdError | None = None
    priority: int = _FIRST
    since: float = 0.0


class Inbox:
    """What was seen so far; all of it can be lost and is found again."""

    def __init__(self, config: Config) -> None:
        self._stability = Stability(config.watch.settle)
        self._parsed: dict[str, tuple[Signature, SidecarFile | NstdError]] = {}
        self._held: dict[str, float] = {}
        self._orphans: dict[str, float] = {}
        self._told: dict[str, object] = {}
        self._now = 0.0
        self.count = 0
        """Sidecars that the last look met."""
        self._stuck = 0
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; what was seen stays."""
        self.root = Root(config.folder("inbox"))
        self.locator = Locator(self.root, Root(config.folder("styles")))
        self._stability.settle = config.watch.settle
        self._orphan_wait, self._priority = config.watch.orphan, config.jobs.priority

    def ready(self, now: float) -> list[Ready]:
        """Read the directory; what can be claimed, highest priority first, then oldest first.

        Raises OSError when the inbox itself cannot be read; nothing is inferred from that.
        """
        names = sorted(self._sidecars())
        self._now, self._stuck = now, 0
        self._stability.begin(now)
        found = [ready for name in names if (ready := self._consider(name)) is not None]
        self.count = len(names)
        self._forget(set(names))
        return sorted(found, key=lambda ready: (-ready.priority, ready.since, ready.name))

    @property
    def deadline(self) -> float:
        """The time of the monotonic clock at which the next look may find something ready."""
        return self._stability.deadline

    @property
    def pending(self) -> int:
        """Sidecars of the last look that need nothing but time: not orphans, not unreadable."""
        return self.count - self._stuck

    def hold(self, name: str, until: float) -> None:
        """Leave the sidecar `name` alone for a while: its claim met an error."""
        self._held[name] = until

    def may_need(self, picture: str) -> bool:
        """Whether a sidecar of the last look names the inbox picture, or was not yet read."""
        if len(self._parsed) < self.count:
            return True
        for name, (_, parsed) in self._parsed.items():
            if isinstance(parsed, SidecarFile):
                for source in parsed.sidecar.pictures:
                    if (self.root, picture) in self.locator.places(name, source):
                        return True
        return False

    def _sidecars(self) -> Iterator[str]:
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                entries = list(os.scandir(self.root.path / folder))
            except OSError as error:
                if not folder:
                    raise
                self._tell_unreadable(folder, error)
                continue
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if is_ignored(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders += [name] if name.count("/") < _DEPTH else []
                elif is_sidecar(entry.name):
                    yield name

    def _consider(self, name: str) -> Ready | None:
        try:
            signature = self.root.look(name)
            since = self._stability.since(name, signature)
            if since is None or self._is_held(name):
                return None
            parsed = self._parse(name, signature)
            if isinstance(parsed, NstdError):
                return Ready(name, signature, None, error=parsed, since=since)
            return self._with_pictures(name, signature, parsed, since)
        except FileNotFoundError:
            self._stuck += 1
            return None
        except (OSError, SidecarError) as error:
            self._tell_unreadable(name, error)
            self._stuck += 1
            return None

    def _with_pictures(
        self, name: str, signature: Signature, parsed: SidecarFile, since: float
    ) -> Ready | None:
        wanted = parsed.sidecar.pictures
        try:
            looked = {source: self.locator.find(name, source) for source in wanted}
        except SidecarError as error:
            return Ready(name, signature, parsed, error=error, since=since)
        missing = [source for source, picture in looked.items() if picture is None]
        if missing:
            return self._orphan(name, signature, parsed, missing)
        self._orphans.pop(name, None)
        found = tuple(picture for source in wanted if (picture := looked[source]))
        waits = [self._stability.since(f"{p.root.path}//{p.name}", p.signature) for p in found]
        priority = parsed.sidecar.priority
        priority = self._priority if priority is None else priority
        ready = Ready(name, signature, parsed, found, priority=priority, since=since)
        return None if None in waits else ready

    def _parse(self, name: str, signature: Signature) -> SidecarFile | NstdError:
        known = self._parsed.get(name)
        if known and known[0] == signature:
            return known[1]
        with self.root.open(name) as file:
            data = file.read(MAX_BYTES + 1)
        parsed: SidecarFile | NstdError
        try:
            parsed = parse_sidecar(data, name)
        except SidecarError as error:
            parsed = error
        self._parsed[name] = (signature, parsed)
        return parsed

    def _orphan(
        self, name: str, signature: Signature, parsed: SidecarFile, missing: list[str]
    ) -> Ready | None:
        since = self._orphans.setdefault(name, self._now)
        if self._told.get(name) != missing:
            self._told[name] = missing
            emit("inbox.waiting", sidecar=printable(name), missing=missing)
        if self._now - since < self._orphan_wait:
            self._stability.look_again(since + self._orphan_wait)
            self._stuck += 1
            return None
        near = self.locator.nearest(name, missing[0])
        error = SidecarError(
            "picture_missing",
            f"{printable(name)}: {', '.join(map(repr, missing))} did not come in time",
            (f"did you mean {near!r}? " if near else "")
            + "put the picture into the inbox, then run `nstd retry` for this job",
        )
        return Ready(name, signature, parsed, error=error, since=since)

    def _is_held(self, name: str) -> bool:
        until = self._held.get(name, 0.0)
        if until > self._now:
            self._stability.look_again(until)
        return until > self._now

    def _tell_unreadable(self, name: str, error: Exception) -> None:
        if self._told.get(name) != str(error):
            self._told[name] = str(error)
            emit("inbox.unreadable", path=printable(name), error=printable(str(error)))

    def _forget(self, names: set[str]) -> None:
        memories: list[dict[str, object]] = [self._parsed, self._held, self._orphans]  # type: ignore[list-item]
        for memory in memories:
            for gone in memory.keys() - names:
                del memory[gone]
