"""The structured log: one JSON object a line, on disk and on standard error.

`emit` is the only way to log. The file is written at once; standard error is fed by a thread
from a bounded queue, so that a stalled reader never stops a job. Lines of a job are also written
to the job's own log.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import queue
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from nstd.events import EVENTS, TERMINAL
from nstd.files import is_full
from nstd.settings import Log

Listener = Callable[[str, dict[str, Any]], None]

_QUEUE_LINES = 2000
_logger = logging.getLogger("nstd")
_listeners: list[Listener] = []
_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


class JobLogs(logging.Handler):
    """Writes the lines of each job to the job's own log as well."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: dict[str, Path] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line; a job log that cannot be written never stops the daemon."""
        event = record.msg if isinstance(record.msg, dict) else {}
        path = self.paths.get(event.get("job", ""))
        if path is None:
            return
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(self.format(record) + "\n")


class _ConsoleQueue(logging.handlers.QueueHandler):
    """Hands lines to the console thread, and drops them when nobody reads."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            self.queue.put_nowait(record)


_job_logs = JobLogs()


class Logging:
    """The handlers of one daemon; `close` flushes and removes them."""

    def __init__(self, folder: Path, settings: Log) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = logging.handlers.RotatingFileHandler(
            folder / "nstd.jsonl",
            maxBytes=settings.size,
            backupCount=settings.keep,
            encoding="utf-8",
            delay=True,
        )
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_LINES)
        self._console: logging.handlers.QueueListener | None = None
        logging.raiseExceptions = False  # a full disk must not print a traceback per line
        for handler in (self._file, _job_logs):
            handler.setFormatter(_Lines("json"))
            _logger.addHandler(handler)
        _logger.propagate = False
        self.reconfigure(settings)

    def reconfigure(self, settings: Log) -> None:
        """Take over the level, the rotation and the console of new settings."""
        self._close_console()
        self._file.maxBytes, self._file.backupCount = settings.size, settings.keep
        _logger.setLevel(settings.level.upper())
        kind = settings.console
        if kind == "auto":
            kind = "text" if sys.stderr.isatty() else "json"
        if kind != "none":
            stream = logging.StreamHandler(sys.stderr)
            stream.setFormatter(_Lines(kind))
            self._handler = _ConsoleQueue(self._queue)
            _logger.addHandler(self._handler)
            self._console = logging.handlers.QueueListener(self._queue, stream)
            self._console.start()

    def _close_console(self) -> None:
        if self._console is None:
            return
        _logger.removeHandler(self._handler)
        listener, self._console = self._console, None
        thread = listener._thread
        with contextlib.suppress(queue.Full):
            self._queue.put(listener._sentinel, timeout=1)  # type: ignore[attr-defined]
        if thread is not None:
            thread.join(timeout=2)  # a stalled reader may keep it for ever; it is a daemon thread

    def close(self) -> None:
        """Flush what can be flushed and let go of the files."""
        self._close_console()
        for handler in (self._file, _job_logs):
            _logger.removeHandler(handler)
        self._file.close()
        _job_logs.paths.clear()


def emit(event: str, **fields: Any) -> None:
    """Log one event of `nstd.events.EVENTS` with its fields."""
    entry = EVENTS[event]
    unknown, absent = fields.keys() - entry.allowed, entry.required - fields.keys()
    if unknown or absent:
        raise TypeError(f"{event}: unknown fields {unknown}, absent fields {absent}")
    line = dict(_stamp(None, "", {"event": event, "level": entry.level})) | fields
    level = logging.getLevelNamesMapping()[entry.level.upper()]
    if _logger.isEnabledFor(level):
        _logger.handle(_logger.makeRecord("nstd", level, "", 0, line, (), None))
    for listener in _listeners:
        listener(event, line)


def disk_event(error: OSError) -> str:
    """The event that tells of a failed file operation."""
    return "disk.full" if is_full(error) else "disk.failed"


def listen(listener: Listener) -> Callable[[], None]:
    """Call `listener(event, line)` for every event; the result stops that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def keep_job_log(job: str, path: Path | None) -> None:
    """Write the lines of `job` to `path` too, or no longer."""
    if path is None:
        _job_logs.paths.pop(job, None)
    else:
        _job_logs.paths[job] = path


def has_ended(folder: Path, job: str) -> bool:
    """Whether the log in `folder` already holds the terminal event of `job`.

    Asked only after a crash between publication and clean-up, so reading it all is fine.
    """
    ends = tuple(f'"event": "{event}"' for event in TERMINAL)
    for path in sorted(folder.glob("nstd.jsonl*")):
        with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
            if any(job in line and any(end in line for end in ends) for line in file):
                return True
    return False


class _Lines(logging.Formatter):
    """Renders the event dictionary of a record with structlog, as JSON or for a person."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._render: structlog.typing.Processor = structlog.processors.JSONRenderer()
        if kind == "text":
            colors = sys.stderr.isatty()
            self._render = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)

    def format(self, record: logging.LogRecord) -> str:
        line = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
        return str(self._render(None, record.levelname, line))
