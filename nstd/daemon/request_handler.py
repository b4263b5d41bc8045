"""Carries out the requests of people: to cancel a job or a batch, and to run a job again."""

from __future__ import annotations

from pathlib import Path

from nstd.daemon.pipeline import Pipeline
from nstd.errors import printable
from nstd.logs.log import emit
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files


class RequestHandler:
    """Takes the requests from the folder `work`, and asks the pipeline to carry them out."""

    def __init__(self, work: Path, files: Files, pipeline: Pipeline) -> None:
        self._requests = ControlRequests(work, files, _log_unreadable)
        self._pipeline = pipeline

    @property
    def is_idle(self) -> bool:
        """Whether no request waits."""
        return self._requests.is_empty

    def handle_requests(self, now: float) -> None:
        """Carry out all requests; one about an unknown job is logged as refused."""
        self._pipeline.recover(now)  # a request may be about a job of an earlier run
        if not self._requests.is_empty:  # or about a member of a batch that is still staged
            self._pipeline.batches.release(now)
        for request in self._requests.take():
            if not self._carry_out(request, now):
                emit(
                    "request.refused",
                    action=request.action,
                    name=printable(request.job),
                    reason="no such job waits or runs",
                )

    def _carry_out(self, request: ControlRequest, now: float) -> bool:
        if request.action == "retry":
            return self._pipeline.dispatcher.restart(request.job)
        return self._pipeline.cancel(request.job, now)


def _log_unreadable(path: Path, error: OSError) -> None:
    """Log a request that cannot be read or removed, often because another user has written it."""
    reason = f"{path}: {error.strerror}; it needs to belong to the user that the daemon runs as"
    emit("request.refused", action="", name=printable(path.name), reason=printable(reason))
