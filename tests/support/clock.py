"""A clock of the wall that can be set, for all processes of a root."""

from __future__ import annotations

from pathlib import Path

SHIM = """
import datetime, time

def offset():
    with open({path!r}) as file:
        return float(file.read())

class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=offset())

wall, wall_ns, local, utc = time.time, time.time_ns, time.localtime, time.gmtime
time.time = lambda: wall() + offset()
time.time_ns = lambda: wall_ns() + int(offset() * 1e9)
time.localtime = lambda seconds=None: local(time.time() if seconds is None else seconds)
time.gmtime = lambda seconds=None: utc(time.time() if seconds is None else seconds)
datetime.datetime = Datetime
"""
"""The wall clock of every process is off by what a file says."""


class Clock:
    """The wall clock of the processes that have the folder `site` on their path."""

    def __init__(self, path: Path, site: Path) -> None:
        """`path` is the file that says by how many seconds it is off."""
        self._path = path
        self._path.write_text("0")
        (site / "sitecustomize.py").write_text(SHIM.format(path=str(path)))

    def jump(self, seconds: float) -> None:
        """From now on it is off by so much."""
        new = self._path.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._path)
