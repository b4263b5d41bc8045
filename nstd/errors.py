"""The errors, by code: each says what happened, to which file, and what to do.

The code and its `retryable` flag decide about retries, logs and the failed folder. The table below
has all codes; a test compares the manual's copy with it.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


class Code(NamedTuple):
    """One row of the table of error codes."""

    retryable: bool
    meaning: str


CODES: dict[str, Code] = {
    "sidecar_invalid": Code(False, "the sidecar is not a valid job description"),
    "config_invalid": Code(False, "the config file is missing or not valid"),
    "grid_too_large": Code(False, "a sidecar's lists make more jobs than jobs.grid_max"),
    "picture_missing": Code(False, "a picture that the sidecar names never came"),
    "picture_unreadable": Code(False, "a picture is broken, truncated or of an unknown format"),
    "picture_refused": Code(
        False, "a picture is animated, too large, a black mask, or not a regular file"
    ),
    "path_refused": Code(False, "a path leaves the roots, or is a link or a special file"),
    "backend_unknown": Code(False, "no backend of that name is installed and healthy"),
    "backend_unavailable": Code(
        True, "the backend cannot be used for a reason that may pass; its sidecars wait"
    ),
    "backend_failed": Code(False, "the backend raised an error"),
    "options_invalid": Code(False, "the backend refused its options"),
    "weights_missing": Code(False, "the network's weights are not installed"),
    "weights_corrupt": Code(False, "the network's weights do not match their SHA-256"),
    "diverged": Code(False, "the optimisation met NaN or infinity and could not recover"),
    "out_of_memory": Code(True, "the device ran out of memory"),
    "device_failed": Code(True, "the device could not be used"),
    "cluster_failed": Code(False, "the Ray cluster cannot be used: no ray, no answer, no match"),
    "cluster_lost": Code(True, "the Ray cluster was lost in the middle of the job"),
    "worker_died": Code(True, "the worker process ended in the middle of the job"),
    "worker_hung": Code(True, "the worker made no progress for too long and was killed"),
    "disk_full": Code(True, "no space was left on a disk"),
    "io_error": Code(True, "a file operation failed"),
    "timed_out": Code(False, "the job took longer than its time-out"),
    "cancelled": Code(False, "the job was cancelled by a person"),
    "sheet_failed": Code(False, "the contact sheet of a batch could not be drawn"),
    "judge_failed": Code(False, "the judge of a bench failed, or gave no figures"),
    "bench_failed": Code(False, "a process of a bench ended early"),
    "already_running": Code(False, "another daemon holds the lock of this root"),
    "paused": Code(False, "jobs wait, and none may start now: see `nstd status`"),
    "not_found": Code(False, "there is no such job, network or file"),
    "internal_error": Code(False, "a bug in nstd; the log has the traceback"),
}


class NstdError(Exception):
    """Base of every error that nstd raises on purpose.

    `code` is a key of `CODES`; `hint` says what the user can do.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.message, self.hint)

    @property
    def retryable(self) -> bool:
        """Whether the same job may succeed when it is tried again."""
        return CODES[self.code].retryable


def clean(text: object) -> str:
    """`text`, or what `str()` makes of it, as Unicode that can be written as UTF-8.

    Texts from outside, such as an exception's, can have lone surrogates; these become `\\udcff`.
    For an object whose `str()` raises an error, or returns no text, it is the name of its type.
    """
    try:
        said = text if type(text) is str else str(text)
    except BaseException:  # whatever it is: it is not ours
        said = f"a {type(text).__name__} that cannot be told"
    return str.encode(said, "utf-8", "backslashreplace").decode()


def printable(text: str | os.PathLike[str]) -> str:
    """`text`, often a file name, on one line: characters that cannot be printed are escaped.

    A name can contain newlines, terminal escape sequences and bytes that are not UTF-8; these
    become `\\n`, `\\x1b` and `\\xff`.
    """
    return "".join(c if c.isprintable() else _escape(c) for c in os.fspath(text))


def in_shell(text: str | os.PathLike[str]) -> str:
    """`text` as one word of a command that is pasted into a shell, on one line as `printable`."""
    raw, shown = os.fspath(text), printable(text)
    if raw == shown:
        return shlex.quote(raw)
    escaped = (f"\\{c}" if c in "\\'" else printable(c) for c in raw)
    return f"$'{''.join(escaped)}'"


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters; a `…` replaces the part that was cut off."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # how Python represents an undecodable byte
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def text_of(value: object, show: Callable[[Any], str] = str) -> str:
    """The text of any object, valid in UTF-8; never raises.

    The text of a plug-in's exception may contain lone surrogates, be None, or raise an error.
    """
    try:
        text = show(value)
    except Exception:
        text = f"<{type(value).__name__} without a text>"
    return text.encode("utf-8", "backslashreplace").decode()


def nearest(word: str, known: Iterable[str]) -> str:
    """The word in `known` that was probably meant by `word`, else the empty string."""
    return next(iter(difflib.get_close_matches(word[:64], list(known), n=1)), "")


def did_you_mean(name: str) -> str:
    """`; did you mean 'weight'?`, or an empty string for the empty name."""
    return f"; did you mean '{name}'?" if name else ""


@dataclass(frozen=True, order=True)
class Problem:
    """One error in a file, and its place: line and column from 1; 0 if it has no line."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class FileError(NstdError):
    """An error in a file that a person has written; `problems` has all problems in order."""

    shown = 20
    """The most problems that the message lists; the others are only counted."""

    def __init__(
        self, code: str, message: str, hint: str = "", problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(code, message, hint)
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.message, self.hint, self.problems)

    @classmethod
    def of(cls, code: str, problems: Sequence[Problem], hint: str = "") -> Self:
        """The error whose message is the lines of `problems`."""
        lines = [str(problem) for problem in problems[: cls.shown]]
        if more := len(problems) - len(lines):
            lines.append(f"... and {more} more")
        return cls(code, "\n".join(lines), hint, problems)


class SidecarError(FileError):
    """A sidecar that cannot become a job."""


class ConfigError(FileError):
    """A config that cannot be used."""


class PictureError(NstdError):
    """A picture that cannot be used."""


class WeightsError(NstdError):
    """Network weights that are absent or do not match their SHA-256."""


class BackendError(NstdError):
    """A backend that is absent or broken, or that failed."""


class BenchError(NstdError):
    """A bench that has nothing to run, or whose judge fails."""


class StoreError(NstdError):
    """A job folder or lock that cannot be used."""


class ClusterError(NstdError):
    """A Ray cluster that cannot be used."""
