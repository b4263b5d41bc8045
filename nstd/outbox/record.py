"""The record beside a picture: everything needed to understand it, and to make it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from nstd.queue.job import Input, Job
from nstd.queue.paths import JobPaths


def make_record(job: Job, paths: JobPaths, now: float) -> dict[str, Any]:
    """The record of a finished job; times are seconds since the epoch. Raises OSError."""
    result: dict[str, Any] = json.loads(paths.result.read_bytes())
    name = PurePosixPath(str(job.target)).name
    picture = {"file": f"{name}.{job.format}"} | result.pop("picture")
    seconds = {"queued": round(max(0.0, now - result["seconds"]["total"] - job.submitted), 3)}
    return (
        {
            "job": job.id,
            "name": job.name,
            "state": "finished",
            "output": picture,
            "inputs": describe_inputs(job),
            "settings": describe_settings(job),
            "attempt": job.attempt,
            **describe_batch(job),
            "submitted": timestamp(job.submitted),
            "claimed": timestamp(job.claimed),
            "finished": timestamp(now),
        }
        | result
        | {"seconds": seconds | result["seconds"]}
    )


def make_failure_record(job: Job, now: float) -> dict[str, Any]:
    """What a reason says beside the failure itself."""
    return {
        "name": job.name,
        "state": "failed",
        "sidecar": str(PurePosixPath(job.folder, job.sidecar)),
        "inputs": describe_inputs(job, kept=True),
        "settings": describe_settings(job),
        **describe_batch(job),
        "submitted": timestamp(job.submitted),
        "claimed": timestamp(job.claimed),
        "finished": timestamp(now),
    }


def describe_inputs(job: Job, *, kept: bool = False) -> dict[str, Any]:
    """The pictures that went in; with the names of their copies where these are `kept`."""
    if not job.inputs:
        return {}

    def describe(given: Input) -> dict[str, Any]:
        described = {"file": given.source, "sha256": given.sha256, "bytes": given.bytes}
        return described | ({"copy": given.file} if kept else {})

    styles = [
        describe(style)
        | {"weight": style.weight, "scale": style.scale}
        | {mask.role: describe(mask) for mask in job.masks(number)}
        for number, style in enumerate(job.given("style"))
    ]
    inputs: dict[str, Any] = {"content": describe(job.given("content")[0]), "styles": styles}
    for given in job.given("init"):
        inputs["init"] = describe(given)
    if series := job.given("series"):
        inputs["series"] = [describe(given) for given in series]
    return inputs


def describe_batch(job: Job) -> dict[str, Any]:
    """Which member of which batch the job is, if it is one."""
    return {} if job.batch is None else {"batch": job.batch.model_dump()}


def describe_settings(job: Job) -> dict[str, Any]:
    """Every setting that had an effect, whether the sidecar, the config or a default said it."""
    return {
        "backend": job.backend,
        "options": job.options,
        "size": job.size,
        "format": job.format,
        "priority": job.priority,
        "timeout": job.timeout,
    }


def timestamp(seconds: float) -> str:
    """UTC in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
