"""What the sidecars that wait say: of each only what a look needs, for there may be thousands.

The whole of it is read again when one is claimed.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from nstd.documents.grid import GridFile, parse_grid
from nstd.documents.sidecar import MAX_BYTES
from nstd.errors import NstdError, SidecarError
from nstd.system.nofollow import Folder, Signature

BUDGET = 5.0
"""Seconds that one look spends on reading sidecars that are new; what is left is read at the next.

The loop has to come round in time for its watchdog, whatever is dropped at once.
"""


class Known(NamedTuple):
    """What a look needs of a sidecar in one state of its file."""

    signature: Signature
    sources: tuple[str, ...] = ()
    priority: int | None = None
    error: NstdError | None = None


class SidecarCache:
    """What was read so far."""

    def __init__(self, root: Folder) -> None:
        self._root = root
        self._known: dict[str, Known] = {}
        self._spent = 0.0

    def begin(self) -> None:
        """Start a look."""
        self._spent = 0.0

    def know(self, name: str, signature: Signature) -> Known | None:
        """What the sidecar wants, or the error it is; None when this look has read enough.

        Raises OSError, and SidecarError for what is no regular file.
        """
        known = self.known(name, signature)
        if known is not None or self._spent > BUDGET:
            return known
        began = time.monotonic()
        with self._root.open(name) as file:
            data = file.read(MAX_BYTES + 1)
        try:
            parsed = parse_grid(data, name)
            known = Known(signature, tuple(parsed.pictures), parsed.sidecar.priority)
        except SidecarError as error:
            known = Known(signature, error=error)
        self._known[name] = known
        self._spent += time.monotonic() - began
        return known

    def known(self, name: str, signature: Signature) -> Known | None:
        """The same, where it was read before."""
        known = self._known.get(name)
        return known if known is not None and known.signature == signature else None

    def read(self, name: str, signature: Signature) -> GridFile | None:
        """All that the sidecar says; None when it is not the one that was looked at.

        Raises SidecarError for one that is not valid.
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
        """Keep only the sidecars of these names, and those in folders that are `hidden` now."""
        for gone in self._known.keys() - names:
            if not gone.startswith(hidden):
                del self._known[gone]
