"""Finds the jobs that wait or run of a batch, or of a sidecar."""

from __future__ import annotations

from nstd.queue.job import Job
from nstd.queue.scheduler import Scheduler


def members_of(scheduler: Scheduler, batch_id: str) -> list[str]:
    """The ids of the jobs of a batch."""
    return [job.id for job in _jobs(scheduler) if job.batch and job.batch.id == batch_id]


def claimed_from(scheduler: Scheduler, sidecar: str) -> list[str]:
    """The id of the job of the latest claim of a sidecar, which makes one job; or nothing."""
    ours = [job.id for job in _jobs(scheduler) if not job.batch and job.sidecar_path == sidecar]
    return [max(ours)] if ours else []


def _jobs(scheduler: Scheduler) -> list[Job]:
    waiting = [entry.job for entry in scheduler.waiting.values()]
    return waiting + [entry.job for entry in scheduler.running.values()]
