"""The process that draws a sheet: what was drawn gets its name once, whatever the disk says."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nstd.outbox.sheet_process import Sheet
from nstd.queue.batch import BatchPaths
from nstd.system.durable import Files


class OnceFailing(Files):
    """One operation fails, once."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def step(self, operation: str, path: Path) -> None:
        if operation == self.operation:
            self.operation = ""
            raise OSError(errno.EIO, "Input/output error", str(path))


def drawing(paths: BatchPaths, draft: Path) -> Sequence[str]:
    """Draws a sheet of few bytes."""
    return [sys.executable, "-c", f"open({str(draft)!r}, 'w').write('a sheet')"]


def drawn(sheet: Sheet) -> None:
    """Wait until the process has ended."""
    deadline = time.monotonic() + 60
    while not sheet.is_done(time.monotonic()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("operation", ["fsync", "rename", "fsync_folder"])
def test_a_sheet_that_could_not_be_kept_at_first_is_kept_at_the_next_try(
    tmp_path: Path, operation: str
) -> None:
    """Also where it has its name already, and the folder alone was not written."""
    sheet = Sheet(BatchPaths(tmp_path), OnceFailing(operation), drawing)
    with pytest.raises(OSError, match="Input/output error"):
        drawn(sheet)
    assert sheet.is_done(time.monotonic())
    assert (sheet.reason, BatchPaths(tmp_path).sheet.read_text()) == ("", "a sheet")


def test_a_drawing_that_somebody_removed_is_a_reason_and_no_error_for_ever(tmp_path: Path) -> None:
    """The batch then ends without a sheet."""
    sheet = Sheet(BatchPaths(tmp_path), OnceFailing("fsync"), drawing)
    with pytest.raises(OSError, match="Input/output error"):
        drawn(sheet)
    for file in tmp_path.iterdir():
        file.unlink()
    assert sheet.is_done(time.monotonic())
    assert sheet.reason == "the file that was drawn is gone"
