"""A layer of file operations that fails or dies where a test says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nstd.system.durable import Files


def names_in(folder: Path) -> list[str]:
    """The names of what lies in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())


class Killed(BaseException):
    """The process would be gone here: nothing catches this."""


class StepFiles(Files):
    """Counts the steps; `on_step` may return an exception to be raised before one."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Path]] = []
        self.on_step: Callable[[int, str], BaseException | None] = lambda at, what: None

    def step(self, operation: str, path: Path) -> None:
        """Note the step, then let `on_step` have its way."""
        self.log.append((operation, path))
        error = self.on_step(len(self.log), operation)
        if error is not None:
            raise error
