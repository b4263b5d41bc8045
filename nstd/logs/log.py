"""The structured log: one JSON object per line, on disk and on standard error.

`emit` is the only way to log. structlog passes each event through `PROCESSORS` to the open
`Logging`, and then to the listeners. A problem of the log does not stop a job: with a full disk or
a slow reader, lines are lost.
"""

from __future__ import annotations

import os
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from structlog.processors import JSONRenderer
from structlog.typing import EventDict, Processor, WrappedLogger

from nstd.documents.report_settings import LogSettings
from nstd.errors import text_of
from nstd.logs.console import STDERR, Console
from nstd.logs.events import DURABLE, EVENTS, LEVELS
from nstd.logs.file import LogFile, append
from nstd.logs.processors import PROCESSORS
from nstd.logs.text import TextRenderer
from nstd.system.layout import LOG

Listener = Callable[[str, dict[str, Any]], None]

_log = structlog.get_logger()
_job_logs: dict[str, Path] = {}
_listeners: list[Listener] = []


def emit(event: str, **fields: Any) -> None:
    """Log one event of `nstd.logs.events.EVENTS` with its fields, at the level that the table says.

    Job, batch, slot and device may be bound around the call, by `structlog.contextvars`. One of
    `DURABLE` is on disk when this returns. Raises OSError when such an event cannot be written to
    the log file; then it goes to no other output. Raises TypeError for other fields than the
    table's.
    """
    getattr(_log, EVENTS[event].level_of(fields))(event, **fields)


class Logging:
    """The outputs of a daemon: log file, job logs and console. `close` flushes and removes them."""

    def __init__(self, folder: Path, settings: LogSettings) -> None:
        self._lock = threading.RLock()
        self._json, self._file = JSONRenderer(), LogFile(folder / LOG, settings.size, settings.keep)
        self._console: Console | None = None
        self.reconfigure(settings)
        threading.excepthook = _log_thread_error
        self._show_warning, warnings.showwarning = warnings.showwarning, _log_warning
        _deliver_to(self)

    def reconfigure(self, settings: LogSettings) -> None:
        """Take over the level, the rotation and the console from new settings."""
        with self._lock:
            self._close_console()
            self._file.size, self._file.keep = settings.size, settings.keep
            self._least = LEVELS.index(settings.level)
            is_terminal = os.isatty(STDERR)
            self._render: Processor = self._json
            if settings.console == "text" or (settings.console == "auto" and is_terminal):
                self._render = TextRenderer(colors=is_terminal and not os.environ.get("NO_COLOR"))
            if settings.console != "none":
                self._console = Console()

    def __call__(self, logger: WrappedLogger, level: str, line: EventDict) -> EventDict:
        """As a processor of structlog: write the line to each output, if its level is enabled."""
        if LEVELS.index(level) >= self._least:
            with self._lock:
                text = str(self._json(logger, level, line))
                self._file.write(text, durable=line["event"] in DURABLE)
                _write_job_log(line, text)
                if self._console is not None:
                    self._console.write(str(self._render(logger, level, line)))
        return line

    def _close_console(self) -> None:
        if self._console is not None:
            self._console.close()
            self._console = None

    def close(self) -> None:
        """Flush the outputs where possible, and close the files."""
        threading.excepthook = threading.__excepthook__
        warnings.showwarning = self._show_warning
        _deliver_to()
        self._close_console()
        self._file.close()
        _job_logs.clear()


def _deliver_to(*outputs: Processor) -> None:
    structlog.configure(
        processors=[*PROCESSORS, *outputs, _call_listeners],
        logger_factory=structlog.ReturnLoggerFactory(),  # the processors have written it
    )


def listen(listener: Listener) -> Callable[[], None]:
    """Call `listener(event, line)` for every event; calling the result stops that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def _call_listeners(_logger: WrappedLogger, _level: str, line: EventDict) -> EventDict:
    """The last processor: call the listeners, whatever the level of the log is. A durable event is
    already on disk."""
    for listener in _listeners:
        listener(line["event"], {**line})
    return line


def keep_job_log(job: str, path: Path | None) -> None:
    """Write the lines of `job` also to `path`; stop that if `path` is None."""
    if path is None:
        _job_logs.pop(job, None)
    else:
        _job_logs[job] = path


def _write_job_log(line: EventDict, text: str) -> None:
    """Write to the log of a job; an error is ignored."""
    if (path := _job_logs.get(line.get("job", ""))) is not None:
        with suppress(OSError):
            append(path, text)


def log_bug(error: BaseException) -> None:
    """Log an unexpected error, with its traceback."""
    text = "".join(traceback.format_exception(error))
    emit("daemon.error", error=text_of(error, repr), traceback=text)


def _log_thread_error(ended: threading.ExceptHookArgs) -> None:
    """Log the error that has ended a thread, such as one of watchdog's.

    Python would print it to standard error instead: that is not a line of the log, and with a slow
    reader the thread would block for ever while it holds the lock of the stream.
    """
    if ended.exc_value is not None:
        log_bug(ended.exc_value)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,  # noqa: ARG001 - Python's own signature
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Log a warning of Python or a library, which would otherwise be printed."""
    text = f"{category.__name__}: {text_of(message)}"
    emit("library.warning", warning=text, source=f"{filename}:{lineno}")


_deliver_to()
