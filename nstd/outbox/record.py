"""The record beside a picture, and the reason of a failure: all that is needed to understand a job.

`nstd schema record` prints the JSON Schema of the record. The files belong to the users: they are
kept for years and may be changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field

from nstd.documents.film import FilmSettings
from nstd.documents.model import Count, Membership, Number, TolerantModel, Version, file_of
from nstd.errors import in_shell, printable
from nstd.queue.job import Failure, Input, Job
from nstd.queue.paths import JobPaths
from nstd.queue.result import FailureRecord, PictureFacts, Provenance, WorkerResult


def _absent() -> Any:
    """A field that is left out of the file when it has no value."""
    return Field(default=None, exclude_if=lambda value: value is None)


class RecordedInput(TolerantModel):
    """An input picture; `file` is its name in the sidecar.

    `kept` is the name of its copy beside a reason; in the file the key is `copy`.
    """

    file: str = ""
    sha256: str = ""
    bytes: Count = 0
    kept: str | None = Field(default=None, alias="copy", exclude_if=lambda value: value is None)


class RecordedStyle(RecordedInput):
    """A style picture with its weight, its scale and its masks.

    In a film, `from` and `to` are the times, in seconds, between which it counts.
    """

    weight: Number = 1.0
    scale: Number = 1.0
    begin: Number | None = Field(default=None, alias="from", exclude_if=lambda value: value is None)
    end: Number | None = Field(default=None, alias="to", exclude_if=lambda value: value is None)
    region: RecordedInput | None = _absent()
    mask: RecordedInput | None = _absent()


class RecordedInputs(TolerantModel):
    """The input pictures; a sidecar that was refused has none."""

    content: RecordedInput | None = _absent()
    styles: tuple[RecordedStyle, ...] = Field(default=(), exclude_if=lambda value: not value)
    init: RecordedInput | None = _absent()
    series: tuple[RecordedInput, ...] = Field(default=(), exclude_if=lambda value: not value)

    def pictures(self) -> Iterator[RecordedInput]:
        """All input pictures."""
        for style in self.styles:
            yield from filter(None, (style, style.region, style.mask))
        yield from filter(None, (self.content, self.init, *self.series))


class RecordedSettings(TolerantModel):
    """Every setting that had an effect, from the sidecar, the config or the defaults."""

    backend: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    size: Count | None = None
    enlarge: bool | None = _absent()  # whether a smaller content was to be brought to `size`
    format: str = ""
    priority: Count = 50
    timeout: Number = 0.0
    film: FilmSettings | None = _absent()  # of a film: its kind, and which frames were chosen


class Heading(TolerantModel):
    """The first fields of records and reasons. Times are texts in ISO 8601, in UTC.

    `sidecar` is its name in the inbox; the records of earlier versions do not have it.
    """

    schema_version: Version = 1
    job: str = ""
    name: str = ""
    sidecar: str | None = _absent()
    state: str = ""
    batch: Membership | None = _absent()
    submitted: str = ""
    claimed: str = ""
    finished: str = ""


class RecordedPicture(PictureFacts, TolerantModel):
    """The finished picture; `file` is its name beside the record."""

    file: str = ""


class Record(Provenance, Heading):
    """The whole content of the record beside a picture, `NAME.json`."""

    state: Literal["finished"] = "finished"
    output: RecordedPicture = RecordedPicture()
    inputs: RecordedInputs = RecordedInputs()
    settings: RecordedSettings = RecordedSettings()
    attempt: Count = 0


class Reason(FailureRecord, Heading):
    """The whole content of a published `reason.json`."""

    state: Literal["failed"] = "failed"
    code: str = ""
    message: str = ""
    inputs: RecordedInputs = RecordedInputs()
    settings: RecordedSettings = RecordedSettings()
    attempts: Count = 0


def make_record(job: Job, paths: JobPaths, now: float) -> Record:
    """The record of a finished job; times are seconds since the epoch.

    Raises OSError, and ValueError when `result.json` is not valid.
    """
    result = WorkerResult.model_validate_json(paths.result.read_bytes())
    facts = dict(result)
    picture = facts.pop("picture")
    queued = round(max(0.0, now - result.seconds["total"] - job.submitted), 3)
    file = file_of(PurePosixPath(str(job.target)).name, job.format)
    return Record(
        **_heading(job, now),
        **(facts | {"seconds": {"queued": queued} | result.seconds}),
        output=RecordedPicture(file=file, **dict(picture)),
        inputs=describe_inputs(job),
        settings=describe_settings(job),
        attempt=job.attempt,
    )


_CORRECTED = {"sidecar_invalid", "options_invalid", "path_refused", "grid_too_large"}
"""Codes of sidecars that have to be corrected."""


def hint_of(job: Job, failure: Failure) -> str:
    """What to do about a failed job; of a sidecar that was refused also where it lies now."""
    if failure.code not in _CORRECTED or job.target is None:
        return failure.hint
    name = in_shell(PurePosixPath(job.target).name)
    sidecar = printable(PurePosixPath(job.target, job.sidecar))
    return f"correct {sidecar} in the outbox, then `nstd retry {name}`" + (
        f"; {failure.hint}" if failure.hint else ""
    )


def make_reason(job: Job, failure: Failure, now: float) -> Reason:
    """The reason of a failed job, as it is published."""
    return Reason(
        **_heading(job, now),
        **failure.model_dump(exclude={"schema_version"}) | {"hint": hint_of(job, failure)},
        inputs=describe_inputs(job, kept=True),
        settings=describe_settings(job),
        attempts=job.attempt,
    )


def _heading(job: Job, now: float) -> dict[str, Any]:
    return {
        "job": job.id,
        "name": job.name,
        "sidecar": job.sidecar_path,
        "batch": job.batch,
        "submitted": timestamp(job.submitted),
        "claimed": timestamp(job.claimed),
        "finished": timestamp(now),
    }


def describe_inputs(job: Job, *, kept: bool = False) -> RecordedInputs:
    """The input pictures; with the names of their copies if `kept`."""
    if not job.inputs:
        return RecordedInputs()

    def facts(given: Input) -> dict[str, Any]:
        copy = given.file if kept else None
        return {"file": given.source, "sha256": given.sha256, "bytes": given.bytes, "kept": copy}

    def described(givens: list[Input]) -> tuple[RecordedInput, ...]:
        return tuple(RecordedInput(**facts(given)) for given in givens)

    styles = tuple(
        RecordedStyle(
            **facts(style),
            weight=style.weight,
            scale=style.scale,
            begin=style.begin,
            end=style.end,
            **{mask.role: RecordedInput(**facts(mask)) for mask in job.masks(number)},
        )
        for number, style in enumerate(job.given("style"))
    )
    return RecordedInputs(
        content=described(job.given("content"))[0],
        styles=styles,
        init=next(iter(described(job.given("init"))), None),
        series=described(job.given("series")),
    )


def describe_settings(job: Job) -> RecordedSettings:
    """The settings of a job, as its record keeps them."""
    return RecordedSettings(**{name: getattr(job, name) for name in RecordedSettings.model_fields})


def timestamp(seconds: float) -> str:
    """UTC in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
