"""The finished frames of a film, in the folder of its job: each is durable as soon as it is made.

A frame is a PNG of 16 bits with the transparency of its content. How it was made stands in a small
JSON file beside it, which is written first.
"""

from __future__ import annotations

import csv
import errno
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, ValidationError

from nstd.documents.model import Count, Number, TolerantModel
from nstd.executors.worker.result_writer import plain
from nstd.images.film.model import Moment
from nstd.images.film.opencv import load_cv2
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels

_WHITE = np.float32(65535)


class FrameFacts(TolerantModel):
    """How one frame was made. `cut` says that a scene begins with it; `seconds` is its time."""

    steps: Count = 0
    seconds: Number = 0.0
    cut: bool = False
    stopped: str = ""
    losses: dict[str, Number] = Field(default_factory=dict)


class FrameStore:
    """The frames by number, from 1. Raises OSError when the disk fails."""

    def __init__(self, paths: JobPaths, files: Files) -> None:
        self._paths, self._files = paths, files

    def open(self) -> int:
        """Make the folder; returns how many frames are there, without a gap, from the first on."""
        self._files.make_folder(self._paths.frames)
        names = {path.name for path in self._paths.frames.iterdir()}
        count = 0
        while self._paths.frame(count + 1).name in names:
            count += 1
        return count

    def size(self, count: int) -> int:
        """How many bytes the first `count` frames have together."""
        return sum(self._paths.frame(number + 1).stat().st_size for number in range(count))

    def write(self, number: int, pixels: Pixels, alpha: Mask | None, facts: FrameFacts) -> Pixels:
        """Store a frame; returns its pixels as they are stored."""
        values = _to_16_bits(pixels)
        self._files.write(self._paths.frame_facts(number), facts.model_dump_json().encode())
        self._files.write(self._paths.frame(number), _encode(values, alpha))
        return values.astype(np.float32) / _WHITE

    def read(self, number: int) -> tuple[Pixels, Mask | None]:
        """The pixels of a frame, and its alpha. One that is damaged is made again at the next
        attempt."""
        path = self._paths.frame(number)
        found = _decode(path.read_bytes())
        if found is None:
            self._files.unlink(path)
            raise OSError(errno.EIO, "a stored frame is damaged; it is made again", str(path))
        return found

    def repeat(self, number: int, alpha: Mask | None) -> Pixels:
        """Store a frame with the pixels of the one before it, which are returned."""
        pixels, _ = self.read(number - 1)
        facts = self._facts_of(number - 1)
        made = {"steps": 0, "seconds": 0.0, "cut": False}
        return self.write(number, pixels, alpha, facts.model_copy(update=made))

    def facts(self, count: int) -> Iterator[FrameFacts]:
        """How the first `count` frames were made, as far as it is known."""
        return map(self._facts_of, range(1, count + 1))

    def _facts_of(self, number: int) -> FrameFacts:
        try:
            return FrameFacts.model_validate_json(self._paths.frame_facts(number).read_bytes())
        except (FileNotFoundError, ValidationError):
            return FrameFacts()

    def keep(self, made: dict[str, Any]) -> None:
        """Store what the record has to know of the backend, for an attempt that only encodes."""
        path = self._paths.frames / "backend.json"
        self._files.write(path, json.dumps(made, default=plain).encode())

    def kept(self) -> dict[str, Any]:
        """What `keep` has stored; empty if nothing was."""
        try:
            kept: dict[str, Any] = json.loads((self._paths.frames / "backend.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return kept

    def write_table(
        self,
        moments: Sequence[Moment],
        all_facts: Sequence[FrameFacts],
        settings: Mapping[str, Sequence[float]],
    ) -> None:
        """Write the table with a line for each frame; `settings` has columns of those that
        change."""
        losses = sorted({name for facts in all_facts for name in facts.losses})
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        head = ["frame", "source_frame", "time", "duration", "cut", "steps", "seconds", "stopped"]
        writer.writerow([*head, *settings, *losses])
        for number, (moment, facts) in enumerate(zip(moments, all_facts, strict=True), start=1):
            times = _plain(moment.time), _plain(moment.duration)
            made = int(facts.cut), facts.steps, facts.seconds, facts.stopped
            set_to = [round(column[number - 1], 6) for column in settings.values()]
            values = [facts.losses.get(name, "") for name in losses]
            writer.writerow([number, moment.number, *times, *made, *set_to, *values])
        self._files.write(self._paths.frames_table, text.getvalue().encode())


def _plain(seconds: Fraction) -> float:
    return round(float(seconds), 6)


def _to_16_bits(pixels: Pixels) -> np.ndarray[Any, np.dtype[np.uint16]]:
    values: np.ndarray[Any, np.dtype[np.uint16]]
    values = np.rint(np.clip(pixels, 0, 1) * _WHITE).astype(np.uint16)
    return values


def _encode(values: np.ndarray[Any, np.dtype[np.uint16]], alpha: Mask | None) -> bytes:
    cv2 = load_cv2()
    channels = values[:, :, ::-1]  # OpenCV has blue first
    if alpha is not None:
        channels = np.dstack([channels, _to_16_bits(alpha)])
    _, data = cv2.imencode(".png", np.ascontiguousarray(channels))
    return bytes(data)


def _decode(data: bytes) -> tuple[Pixels, Mask | None] | None:
    cv2 = load_cv2()
    if not data:
        return None
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or values.dtype != np.uint16:
        return None
    shares = values.astype(np.float32) / _WHITE
    alpha = np.ascontiguousarray(shares[:, :, 3]) if values.shape[2] == 4 else None
    return np.ascontiguousarray(shares[:, :, 2::-1]), alpha
