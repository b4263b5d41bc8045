"""Makes the attempt that an assignment needs."""

from __future__ import annotations

from collections.abc import Callable

from nstd.executors.contract import Assignment
from nstd.executors.worker.attempt import Attempt
from nstd.queue.progress import Report
from nstd.system.durable import Files


def make_attempt(
    assignment: Assignment,
    files: Files,
    report: Callable[[Report], None],
    end_request: Callable[[], str | None],
) -> Attempt:
    """An attempt at a picture, or at a film, which loads more."""
    if assignment.job.film is None:
        return Attempt(assignment, files, report, end_request)
    from nstd.executors.worker.film_attempt import FilmAttempt

    return FilmAttempt(assignment, files, report, end_request)
