"""Whether a device or the jobs on it are to blame where workers die.

A plug-in that kills its worker must close no device: others do well there. So where each backend
has done well, and where each job has lost its worker, is compared.
"""

from __future__ import annotations

from nstd.queue.breaker import Blame
from nstd.queue.entries import Running
from nstd.queue.job import Outcome


class DeviceBlame:
    """What speaks for and against devices. In memory alone."""

    def __init__(self) -> None:
        self._proven: dict[str, set[str]] = {}  # the devices on which each backend has done well
        self._died: dict[str, set[str]] = {}  # the devices on which each job has lost its worker

    def did_well(self, running: Running) -> None:
        """An attempt has made its picture."""
        self._proven.setdefault(running.job.backend, set()).add(running.slot.device)

    def forget(self, job_id: str) -> None:
        """The job has ended."""
        self._died.pop(job_id, None)

    def of(self, running: Running, outcome: Outcome) -> Blame:
        """How far the end of an attempt speaks against the device."""
        has_died = outcome.failure is not None and outcome.failure.code == "worker_died"
        if outcome.at_start or not has_died:
            return Blame.SURE
        job, device = running.job, running.slot.device
        died = self._died.setdefault(job.id, set())
        died.add(device)
        proven = self._proven.get(job.backend, set())
        if not proven or len(died) > 1:
            return Blame.NONE
        return Blame.SURE if proven - {device} else Blame.DOUBTFUL
