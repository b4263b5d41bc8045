"""What people ask of a daemon: a file per request in `work/.requests`, so it may be down.

The daemon alone moves jobs; the commands only leave a note, and the note is durable.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nstd.files import Files

Action = Literal["cancel", "retry"]


@dataclass(frozen=True)
class Request:
    """One wish about one job: its id, or the name of a sidecar that still lies in the inbox."""

    action: Action
    job: str


class Requests:
    """The folder of notes."""

    def __init__(self, work: Path, files: Files) -> None:
        self._folder, self._files = work / ".requests", files

    def leave(self, request: Request) -> None:
        """Leave a note for the daemon. Raises OSError."""
        self._files.make_folder(self._folder)
        note = json.dumps({"action": request.action, "job": request.job})
        self._files.write(self._folder / f"{secrets.token_hex(8)}.json", note.encode())

    @property
    def is_empty(self) -> bool:
        """Whether no note waits."""
        return not any(self._folder.glob("*.json"))

    def take(self) -> list[Request]:
        """Every note, oldest first; they are gone afterwards. A broken note is dropped."""
        try:
            notes = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        except OSError:
            return []
        requests = []
        for path in notes:
            try:
                note = json.loads(path.read_bytes())
                requests.append(Request(note["action"], str(note["job"])))
            except (OSError, ValueError, KeyError, TypeError):
                pass
            self._files.unlink(path)
        return requests
