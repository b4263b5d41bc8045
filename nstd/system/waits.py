"""How long the daemon waits before it tries again what has failed, or looks again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds; those that grow do so from try to try."""

    after_error: float = 1.0
    """Until the next turn of the loop, after a step of it failed."""
    disk: float = 10.0
    """Without dispatch or intake, after a disk refused to take the state of a job."""
    full: float = 10.0
    """Without claims, after one found no space; then a single one tries again."""
    full_job: float = 10.0
    """Until a job runs again whose worker met a full disk; grows."""
    claim: float = 10.0
    """Until a sidecar whose claim met an error is claimed again; grows."""
    undo: float = 1.0
    """Until claims are looked at again that could not be undone: the inbox may be away."""
    publish: float = 5.0
    """Until a publication that met a disk error is tried again; grows."""
    gallery: float = 30.0
    """Until the gallery is written again, after that failed; grows."""
    gallery_scan: float = 60.0
    """Between looks at the outbox for results that people have removed."""


USUAL = Waits()
