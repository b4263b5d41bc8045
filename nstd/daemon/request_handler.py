"""Carries out the requests of people: about jobs and batches, and to pause the starts of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nstd.daemon.pipeline import NO_RECIPE, Pipeline
from nstd.daemon.waiting_changes import NOT_THERE
from nstd.errors import printable
from nstd.intake.renewal import STAGED, renew
from nstd.logs.log import emit, log_bug
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files


class RequestHandler:
    """Takes the requests from the folder `work`, and asks the pipeline to carry them out."""

    def __init__(self, work: Path, files: Files, pipeline: Pipeline) -> None:
        self._requests = ControlRequests(work, files, _log_unreadable)
        self._pipeline, self._files = pipeline, files

    @property
    def is_idle(self) -> bool:
        """Whether no request waits."""
        return self._requests.is_empty

    def handle_requests(self, now: float) -> None:
        """Carry out all requests; one that cannot be is logged as refused.

        Raises OSError when the disk fails; the request is then carried out at the next call, and
        nothing is claimed or started before that: it may be what must not start.
        """
        self._pipeline.has_requests_left = not self._requests.is_empty
        self._pipeline.recover(now)  # a request may be about a job of an earlier run
        if self._pipeline.has_requests_left:  # or about a member of a batch that is still staged
            self._pipeline.batches.release(now)
        for request in self._requests.take():
            if reason := self._try(request, now):
                name = printable(request.job)
                emit("request.refused", action=request.action, name=name, reason=reason)
        self._pipeline.has_requests_left = False

    def _try(self, request: ControlRequest, now: float) -> str:
        """Carry out a request; a bug must not keep the others, and all jobs, waiting for ever."""
        try:
            return self._carry_out(request, now)
        except OSError:
            raise
        except Exception as error:
            log_bug(error)
            return "a bug in nstd: see daemon.error in the log"

    def _carry_out(self, request: ControlRequest, now: float) -> str:
        """Carry out a request; why it cannot be, or an empty string."""
        pipeline, is_done = self._pipeline, True
        match request.action:
            case "pause":
                pipeline.gate.pause(request.until, request.reason)
                if request.now:
                    pipeline.dispatcher.put_back()
            case "resume":
                pipeline.gate.resume()
            case "retry":
                is_done = pipeline.dispatcher.restart(request.job)
            case "cancel":
                is_done = pipeline.cancel(request.job, now)
            case "again":
                return self._renew(request)
            case "hold" | "release" if request.job.endswith("/"):
                is_held = request.action == "hold"
                return pipeline.hold_folder(request.job.strip("/"), is_held=is_held)
            case _:
                return pipeline.changes.apply(request.job, _changes(request), now)
        return "" if is_done else NOT_THERE

    def _renew(self, request: ControlRequest) -> str:
        """Have the pictures of a recipe folder made once more; why not, or an empty string."""
        admission, folder = self._pipeline.admission, request.job.strip("/")
        if request.staged and not STAGED.fullmatch(request.staged):
            return f"{request.staged!r} is no folder of pictures that come back"
        assert request.until is not None  # else it is not valid
        root, made = admission.inbox.root, admission.inbox.made
        if not renew(root, made, self._files, folder, request.until, request.staged):
            return NO_RECIPE
        admission.scans.again()
        return ""


def _changes(request: ControlRequest) -> dict[str, Any]:
    """The fields of a job that a request changes."""
    if request.action == "priority":
        return {"priority": request.priority}
    return {"held": request.action == "hold"}


def _log_unreadable(path: Path, error: OSError) -> None:
    """Log a request that cannot be read or removed, often because another user has written it."""
    reason = f"{path}: {error.strerror}; it needs to belong to the user that the daemon runs as"
    emit("request.refused", action="", name=printable(path.name), reason=printable(reason))
