"""The structured log: one JSON object a line, on disk and on standard error.

`emit` is the only way to log. Lines of a job are also written to the job's own log. Nothing that
befalls the log stops a job: a full disk or a stalled reader costs lines.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nstd.documents.settings import LogSettings
from nstd.errors import SidecarError, printable
from nstd.logs.console import STDERR, Console
from nstd.logs.events import DURABLE, EVENTS, TERMINAL
from nstd.logs.file import LogFile, sync_names
from nstd.system.layout import LOG
from nstd.system.nofollow import Folder

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Listener = Callable[[str, dict[str, Any]], None]

_logger = logging.getLogger("nstd")
_listeners: list[Listener] = []


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
        with suppress(OSError):
            fd = os.open(path, _APPEND, 0o666)  # people may write there: no link is followed
            with open(fd, "ab") as file:  # noqa: PTH123 - a descriptor
                file.write(self.format(record).encode() + b"\n")


_job_logs = JobLogs()


class Logging:
    """The handlers of one daemon; `close` flushes and removes them."""

    def __init__(self, folder: Path, settings: LogSettings) -> None:
        self._file = LogFile(folder / LOG, settings.size, settings.keep)
        self._console: Console | None = None
        for handler in (self._file, _job_logs):
            handler.setFormatter(Lines("json"))
            _logger.addHandler(handler)
        _logger.propagate = False
        threading.excepthook = _tell_of_thread
        self._show_warning, warnings.showwarning = warnings.showwarning, _tell_of_warning
        self.reconfigure(settings)

    def reconfigure(self, settings: LogSettings) -> None:
        """Take over the level, the rotation and the console of new settings."""
        self._close_console()
        self._file.size, self._file.keep = settings.size, settings.keep
        _logger.setLevel(settings.level.upper())
        kind = settings.console
        if kind == "auto":
            kind = "text" if os.isatty(STDERR) else "json"
        if kind != "none":
            self._console = Console()
            self._console.setFormatter(Lines(kind))
            _logger.addHandler(self._console)

    def _close_console(self) -> None:
        if self._console is not None:
            _logger.removeHandler(self._console)
            self._console.close()
            self._console = None

    def close(self) -> None:
        """Flush what can be flushed and let go of the files."""
        threading.excepthook = threading.__excepthook__
        warnings.showwarning = self._show_warning
        self._close_console()
        for handler in (self._file, _job_logs):
            _logger.removeHandler(handler)
        self._file.close()
        _job_logs.paths.clear()


def emit(event: str, **fields: Any) -> None:
    """Log one event of `nstd.logs.events.EVENTS` with its fields.

    One of `DURABLE` is on disk when this returns. Raises OSError for such an event that the log
    file did not take; then nobody was told.
    """
    entry = EVENTS[event]
    unknown, absent = fields.keys() - entry.allowed, entry.required - fields.keys()
    if unknown or absent:
        raise TypeError(f"{event}: unknown fields {unknown}, absent fields {absent}")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"timestamp": now.replace("+00:00", "Z"), "level": entry.level_of(fields), "event": event}
    line |= {name: _plain(fields[name]) for name in entry.order if name in fields}
    level = logging.getLevelNamesMapping()[line["level"].upper()]
    if _logger.isEnabledFor(level):
        record = _logger.makeRecord("nstd", level, "", 0, line, (), None)
        record.durable = event in DURABLE
        _logger.handle(record)
    for listener in _listeners:
        listener(event, line)


def tell_bug(error: BaseException) -> None:
    """Log an error that nobody foresaw, with its traceback."""
    text = "".join(traceback.format_exception(error))
    emit("daemon.error", error=repr(error), traceback=text)


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    """Of a thread that an error has ended, such as one of watchdog's.

    Printed, as Python does by itself, it would be no line of the log, and a stalled reader of
    standard error would keep the thread, and with it the lock of the stream, for ever.
    """
    if ended.exc_value is not None:
        tell_bug(ended.exc_value)


def _tell_of_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,  # noqa: ARG001 - Python's own signature
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Of a warning of Python or a library, which would be printed, and no line of the log."""
    emit(
        "library.warning", warning=f"{category.__name__}: {message}", source=f"{filename}:{lineno}"
    )


def _plain(value: Any) -> Any:
    """`value` as strict JSON can carry it: no bytes of odd file names, no NaN, no infinity."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


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
    """Whether the log in `folder` already holds the terminal event of `job`, durably from now on.

    The `job` may also be a batch. Asked only after a crash between publication and clean-up, so
    reading it all is fine. A line that a power cut has torn tells nothing. Raises OSError when
    what is there cannot be synced.
    """
    return _holds(folder, job, lambda told: _ends(told, job))


def has_finished(folder: Path, batch: str, round_: int) -> bool:
    """The same for the event that ends the batch for the `round_`th time."""
    return _holds(folder, batch, lambda told: _ends(told, batch) and told.get("round") == round_)


def _holds(folder: Path, about: str, is_wanted: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether the log has a line with the id `about` that is wanted; then it is synced."""
    logs = Folder(folder)  # people may write there: links and FIFOs are passed over
    for path in sorted(folder.glob(f"{LOG}*")):
        with (
            suppress(FileNotFoundError, PermissionError, SidecarError),
            logs.open(path.name) as file,
        ):
            if any(is_wanted(_read(line)) for line in file if about.encode() in line):
                os.fsync(file.fileno())
                sync_names(folder)
                return True
    return False


def _ends(told: dict[str, Any], job: str) -> bool:
    """Whether a line of the log is the terminal event of `job`, or of a batch of that id."""
    if told.get("event") == "batch.finished":
        return bool(told.get("batch") == job)
    return told.get("job") == job and told.get("event") in TERMINAL


def _read(line: bytes) -> dict[str, Any]:
    """A line of the log; nothing where it is none."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


class Lines(logging.Formatter):
    """Renders the event dictionary of a record with structlog: `json`, or `text` for a person."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        # Imported here, as it takes its time and `nstd status` has none: it logs nothing.
        import structlog

        self._render: structlog.typing.Processor = structlog.processors.JSONRenderer()
        self._is_text = kind == "text"
        if self._is_text:
            colors = os.isatty(STDERR)
            self._render = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the values hold: in text, control characters are escaped."""
        line = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
        if self._is_text:
            line = {k: printable(v) if isinstance(v, str) else v for k, v in line.items()}
        return str(self._render(None, record.levelname, line))
