"""How long the daemon waits before it tries again what has failed, or checks something again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """All in seconds; waits that grow are doubled with each failure in a row."""

    after_error: float = 1.0
    """Until the next turn of the loop, after a step of the loop has failed."""
    disk: float = 10.0
    """Until jobs are started or claimed again, after the state of a job could not be written."""
    full: float = 10.0
    """Until a claim is tried again, after a claim found no space."""
    full_job: float = 10.0
    """Until a job runs again whose worker met a full disk; grows."""
    claim: float = 10.0
    """Until a sidecar whose claim met an error is claimed again; grows."""
    undo: float = 1.0
    """Until claims that could not be undone are tried again: the inbox may be unreachable."""
    publish: float = 5.0
    """Until a publication of a result or a batch that met a disk error is tried again; grows."""
    gallery: float = 30.0
    """Until the gallery is written again, after that failed; grows."""
    gallery_scan: float = 60.0
    """Between scans of the outbox for results that people have removed."""
    expire: float = 600.0
    """From the start of the daemon to its first sweep for what is too old: a clock that was wrong
    when the machine started is right by then. Between sweeps it is six times as long."""


USUAL = Waits()
