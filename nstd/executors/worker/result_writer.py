"""Writes the result of an attempt: the picture with its recipe inside, then `result.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from nstd import __version__
from nstd.backend import Result
from nstd.errors import clean
from nstd.executors.contract import Assignment
from nstd.executors.worker import provenance
from nstd.executors.worker.inputs import describe_pictures
from nstd.executors.worker.reporter import ProgressReporter
from nstd.images.alpha import off_white
from nstd.images.encode import encode_image
from nstd.images.model import Picture
from nstd.queue.paths import JobPaths
from nstd.queue.result import PictureFacts, WorkerResult
from nstd.system.durable import Files


class ResultWriter:
    """Writes into the folder of the job."""

    def __init__(self, assignment: Assignment, files: Files) -> None:
        self._job, self._slot, self._files = assignment.job, assignment.slot, files
        self._paths = JobPaths(assignment.folder)

    def write_picture(self, result: Result, content: Picture) -> PictureFacts:
        """Encode and write the picture, with the transparency of the content."""
        pixels, alpha = result.pixels, None
        if content.alpha is not None and self._job.format != "jpg":
            pixels, alpha = off_white(pixels, content.alpha)
        recipe = self._recipe(result)
        data = encode_image(pixels, alpha=alpha, format=self._job.format, recipe=recipe)
        self._files.write(self._paths.picture(self._job), data)
        height, width = result.pixels.shape[:2]
        sha256 = hashlib.sha256(data).hexdigest()
        return PictureFacts(sha256=sha256, bytes=len(data), width=width, height=height)

    def _recipe(self, result: Result) -> str:
        job = self._job
        # in a sidecar, a default size larger than the content would ask to enlarge it
        is_reached = job.enlarge or max(result.pixels.shape[:2]) >= (job.size or 0)
        size = job.size if is_reached else None
        recipe = describe_pictures(job) | {
            "output": {"name": job.name, "size": size, "format": job.format},
            "backend": job.backend,
            "options": job.options,
            "network": dict(result.network or {}),
            "seed": result.seed,
            "software": f"nstd {__version__}",
            "job": job.id,
        }
        return json.dumps(recipe, default=_plain)

    def write_result(
        self,
        result: Result,
        picture: PictureFacts,
        reporter: ProgressReporter,
        seconds: Mapping[str, float],
    ) -> None:
        """Write `result.json`: the last write of an attempt, which makes the job finished.

        `seconds` has the time of each phase.
        """
        record = WorkerResult(
            picture=picture,
            network=None if result.network is None else _cleaned(result.network),
            seed=None if result.seed is None else int(result.seed),
            stopped=result.stopped,
            device=self._slot.rpartition("/")[0],
            slot=self._slot,
            device_name=provenance.device_name(result),
            steps=reporter.step,
            notes=tuple(reporter.notes),
            losses=tuple(reporter.losses),
            seconds={phase: round(float(value), 3) for phase, value in seconds.items()},
            peak_memory=provenance.peak_memory(result),
            versions=provenance.versions(),
        )
        facts = record.model_dump(mode="json", fallback=_plain)
        self._files.write(self._paths.result, json.dumps(facts, allow_nan=False).encode())


def _cleaned(network: Mapping[str, Any]) -> dict[str, Any]:
    """The facts about the network from the backend, with texts that UTF-8 can encode."""
    return {
        clean(key): clean(value) if isinstance(value, str) else value
        for key, value in network.items()
    }


def _plain(value: Any) -> Any:
    """`value` for JSON: numbers of numpy and torch as Python numbers, other objects as text."""
    return value.item() if hasattr(value, "item") else str(value)
