"""The structured log: one JSON object a line, on disk and on standard error.

`emit` is the only way to log. structlog carries each event through `PROCESSORS` to the `Logging`
that is open, and then to those who listen. Nothing that befalls the log stops a job: a full disk or
a stalled reader costs lines.
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

from nstd.documents.settings import LogSettings
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
    `DURABLE` is on disk when this returns. Raises OSError for such an event that the log file did
    not take; then nobody was told. Raises TypeError for fields that are not those of the table.
    """
    getattr(_log, EVENTS[event].level_of(fields))(event, **fields)


class Logging:
    """The outputs of a daemon: log file, job logs, console. `close` flushes and removes them."""

    def __init__(self, folder: Path, settings: LogSettings) -> None:
        self._lock = threading.RLock()
        self._json, self._file = JSONRenderer(), LogFile(folder / LOG, settings.size, settings.keep)
        self._console: Console | None = None
        self.reconfigure(settings)
        threading.excepthook = _tell_of_thread
        self._show_warning, warnings.showwarning = warnings.showwarning, _tell_of_warning
        _deliver_to(self)

    def reconfigure(self, settings: LogSettings) -> None:
        """Take over the level, the rotation and the console of new settings."""
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
        """As a processor: write the line wherever it belongs, if its level is asked for."""
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
        """Flush what can be flushed and let go of the files."""
        threading.excepthook = threading.__excepthook__
        warnings.showwarning = self._show_warning
        _deliver_to()
        self._close_console()
        self._file.close()
        _job_logs.clear()


def _deliver_to(*outputs: Processor) -> None:
    structlog.configure(
        processors=[*PROCESSORS, *outputs, _tell_listeners],
        logger_factory=structlog.ReturnLoggerFactory(),  # nothing is left to be written
    )


def listen(listener: Listener) -> Callable[[], None]:
    """Call `listener(event, line)` for every event; the result stops that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def _tell_listeners(_logger: WrappedLogger, _level: str, line: EventDict) -> EventDict:
    """The last processor: whatever the level of the log is, and once a durable event is on disk."""
    for listener in _listeners:
        listener(line["event"], {**line})
    return line


def keep_job_log(job: str, path: Path | None) -> None:
    """Write the lines of `job` to `path` too, or no longer."""
    if path is None:
        _job_logs.pop(job, None)
    else:
        _job_logs[job] = path


def _write_job_log(line: EventDict, text: str) -> None:
    """A job log that cannot be written never stops the daemon."""
    if (path := _job_logs.get(line.get("job", ""))) is not None:
        with suppress(OSError):
            append(path, text)


def tell_bug(error: BaseException) -> None:
    """Log an error that nobody foresaw, with its traceback."""
    text = "".join(traceback.format_exception(error))
    emit("daemon.error", error=text_of(error, repr), traceback=text)


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
    text = f"{category.__name__}: {text_of(message)}"
    emit("library.warning", warning=text, source=f"{filename}:{lineno}")


_deliver_to()
