"""A cache of the waiting sidecars: only the values that a scan needs, as there may be thousands.

The complete sidecar is read again for its claim.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from nstd.documents.grid import GridFile, parse_grid
from nstd.documents.strict_yaml import MAX_BYTES
from nstd.errors import NstdError, SidecarError
from nstd.system.nofollow import Folder, Signature

BUDGET = 5.0
"""Seconds that one scan spends on reading new sidecars; the rest is read by the next scans.

The loop must report to its watchdog in time, however many sidecars arrive at once.
"""


class CachedSidecar(NamedTuple):
    """The values of a sidecar that a scan needs, for one state of its file."""

    signature: Signature
    sources: tuple[str, ...] = ()
    priority: int | None = None
    batch: str = ""  # the id of the batch that it is a member of
    error: NstdError | None = None


class SidecarCache:
    """The sidecars that were read so far."""

    def __init__(self, root: Folder) -> None:
        self._root = root
        self._sidecars: dict[str, CachedSidecar] = {}
        self._spent = 0.0

    def begin(self) -> None:
        """Start a scan."""
        self._spent = 0.0

    def get(self, name: str, signature: Signature) -> CachedSidecar | None:
        """The values of the sidecar, or its error; None when the time of this scan is used up.

        Raises OSError, and SidecarError when it is not a regular file.
        """
        known = self.cached(name, signature)
        if known is not None or self._spent > BUDGET:
            return known
        began = time.monotonic()
        with self._root.open(name) as file:
            data = file.read(MAX_BYTES + 1)
        try:
            parsed = parse_grid(data, name)
            said = parsed.sidecar
            batch = said.batch.id if said.batch else ""
            known = CachedSidecar(signature, tuple(parsed.pictures), said.priority, batch)
        except SidecarError as error:
            known = CachedSidecar(signature, error=error)
        self._sidecars[name] = known
        self._spent += time.monotonic() - began
        return known

    def cached(self, name: str, signature: Signature) -> CachedSidecar | None:
        """The same, but only if it was read before; else None."""
        known = self._sidecars.get(name)
        return known if known is not None and known.signature == signature else None

    def read(self, name: str, signature: Signature) -> GridFile | None:
        """The complete sidecar; None when the file changed since the scan.

        Raises SidecarError when it is not valid.
        """
        try:
            with self._root.open(name) as file:
                data = file.read(MAX_BYTES + 1)
                if Signature.of(os.fstat(file.fileno())) != signature:
                    return None
        except OSError:
            return None
        return parse_grid(data, name)

    def forget(self, names: set[str], hidden: tuple[str, ...] = ()) -> None:
        """Keep only the sidecars with these names, and those in folders that cannot be read now
        (`hidden`)."""
        for gone in self._sidecars.keys() - names:
            if not gone.startswith(hidden):
                del self._sidecars[gone]
