"""Lines of the structured log as text for people, on the console and in `nstd logs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from nstd.errors import printable
from nstd.system.units import counted, format_duration, format_size

Line = Mapping[str, Any]
_HEAD = {"timestamp", "level", "event", "job", "name"}
_COLORS = {"error": "red", "warning": "yellow"}
_GREEN = {
    "job.finished",
    "batch.finished",
    "device.up",
    "intake.resumed",
    "inbox.back",
    "starts.resumed",
}
_WITH_HINT = {"job.failed", "recipe.invalid", "recipe.held"}
_BAR = 10
_NAMES = 10_000
"""How many names of jobs are remembered; a daemon that runs for months has many more jobs."""


class TextRenderer:
    """Renders lines one by one; shows the names of jobs, once an earlier line had them.

    It can be the last processor of structlog, but does not depend on it.
    """

    def __init__(self, *, colors: bool = True, repeat_hints: bool = True) -> None:
        """Without `repeat_hints` a hint follows only the first line that has it."""
        self._colors, self._repeat_hints = colors, repeat_hints
        self._hinted: set[str] = set()
        self._names: dict[str, str] = {}

    def __call__(self, _logger: object, _method: str, line: Line) -> str:
        """The line as `render` makes it."""
        return self.render(line)

    def render(self, line: Line) -> str:
        """The line: local time, level, event, job, and the other fields as text.

        A text of several lines, such as a traceback, follows with indentation.
        """
        event, level = line["event"], line["level"]
        color = _COLORS.get(level, "green" if event in _GREEN else None)
        when = click.style(_local(line["timestamp"]), dim=True)
        kind = click.style(f"{printable(level):7} {printable(event):14}", fg=color)
        text = f"{when} {kind} {self.message(line)}".rstrip()
        return text if self._colors else click.unstyle(text)

    def message(self, line: Line) -> str:
        """The line without its head: the job, and the other fields as text."""
        words = [word for word in (self._subject(line), _phrase(line)) if word]
        first = "  ".join(map(printable, words))
        below = [*_continuation(line), *self._hint(line)]
        return "\n".join([first, *(f"    {printable(each)}" for each in below)])

    def _hint(self, line: Line) -> Iterator[str]:
        hint = str(line.get("hint") or "") if line["event"] in _WITH_HINT else ""
        if hint and (self._repeat_hints or hint not in self._hinted):
            self._hinted.add(hint)
            yield hint

    def note_name(self, line: Line) -> Line:
        """Remember the name of a job or batch in the line; returns the line."""
        job, name = line.get("job", line.get("batch")), line.get("name")
        if isinstance(job, str) and isinstance(name, str):
            self._names[job] = name
            if len(self._names) > _NAMES:
                del self._names[next(iter(self._names))]
        return line

    def _subject(self, line: Line) -> str:
        """The name of the job, or its id if no line had the name; else the same for the batch."""
        job = self.note_name(line).get("job", line.get("batch"))
        return self._names.get(job, job) if isinstance(job, str) else ""


def _local(timestamp: str) -> str:
    try:
        return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):
        return printable(timestamp)


def _phrase(line: Line) -> str:
    """The other fields as a sentence; a line with missing fields is shown key by key."""
    try:
        return _PHRASES.get(line["event"], _key_by_key)(line)
    except (KeyError, TypeError, ValueError, AttributeError):
        return _key_by_key(line)


def _key_by_key(line: Line) -> str:
    rest = {key: _text(value) for key, value in line.items() if key not in _HEAD}
    if not {"job", "batch"} & line.keys() and "name" in line:
        rest = {"name": _text(line["name"])} | rest
    return ", ".join(f"{key} {text}" for key, text in rest.items() if text and "\n" not in text)


def _continuation(line: Line) -> Iterator[str]:
    for value in line.values():
        if isinstance(value, str) and "\n" in value.strip():
            yield from value.strip().splitlines()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{key}={_text(each)}" for key, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _claimed(line: Line) -> str:
    return f"{line['job']} from {line['sidecar']}, {line['backend']}, priority {line['priority']}"


def _progress(line: Line) -> str:
    bar = "#" * round(line["fraction"] * _BAR)
    words = [f"[{bar:<{_BAR}}] {line['fraction']:4.0%}  scale {line['scale']}"]
    if (total := line["losses"].get("total")) is not None:
        words.append(f"loss {total:.4g}")
    if line["eta"] is not None:
        words.append(f"{format_duration(round(line['eta']))} left")
    return "  ".join(words)


def _finished(line: Line) -> str:
    seconds = format_duration(round(line["seconds"]["total"]))
    size = f"{line['width']}x{line['height']}"
    return f"{size} in {seconds} on {line['device']}: {line['output']}"


def _failed(line: Line) -> str:
    """Only the first line of a long message; the whole message follows."""
    return f"{line['code']}: {line['message'].strip().splitlines()[0]} ({line['output']})"


def _retried(line: Line) -> str:
    message = line["message"].strip().splitlines()[0]
    return f"{line['code']}: {message}; again in {format_duration(line['delay'])}"


def _paused(line: Line) -> str:
    until = f" until {_local(line['until'])}" if "until" in line else ""
    reason = f" ({line['reason']})" if "reason" in line else ""
    cause = "paused" if line["cause"] == "person" else "outside the hours of `schedule`"
    return f"no job is started: {cause}{until}{reason}"


def _changed(line: Line) -> str:
    return f"priority {line['priority']}{', held' if line['held'] else ''}"


def _invalid_recipe(line: Line) -> str:
    """Only the first line of the message, which names the recipe; the whole message follows."""
    return f"{line['code']}: {line['message'].strip().splitlines()[0]}"


def _held_recipe(line: Line) -> str:
    return f"{line['recipe']}: {line['taken']} are taken, {line['held']} are held"


def _expired(line: Line) -> str:
    where = f", moved to {line['moved_to']}" if "moved_to" in line else ""
    return f"{line['kind']} {line['path']}, {format_size(line['bytes'])}{where}"


def _batch_finished(line: Line) -> str:
    ended = f"{line['finished']} done, {line['failed']} failed"
    return f"{ended} in {format_duration(round(line['seconds']))}: {line['output']}"


_PHRASES: dict[str, Callable[[Line], str]] = {
    "job.claimed": _claimed,
    "job.started": lambda line: f"attempt {line['attempt']} on {line['slot']}",
    "job.progress": _progress,
    "job.finished": _finished,
    "job.failed": _failed,
    "job.retried": _retried,
    "job.changed": _changed,
    "recipe.loaded": lambda line: f"{line['recipe']}, {counted(line['jobs'], 'job')} a picture",
    "recipe.invalid": _invalid_recipe,
    "recipe.held": _held_recipe,
    "recipe.released": lambda line: f"{line['folder']}/",
    "picture.passed_over": lambda line: f"{line['path']} {line['reason']}",
    "outbox.expired": _expired,
    "request.refused": lambda line: f"{line['action']} {line['name']}: {line['reason']}".strip(),
    "starts.paused": _paused,
    "starts.resumed": lambda _: "jobs are started again",
    "job.requeued": lambda line: f"waits again: {line['reason']}",
    "batch.started": lambda line: f"{counted(line['jobs'], 'job')} from {line['sidecar']}",
    "batch.finished": _batch_finished,
}
