"""The sound of a film: copied into the film that is written, or encoded again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av import Packet
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from nstd.images.decode import open_regular
from nstd.images.film.demux import SOUND_CODECS, open_container
from nstd.images.film.kinds import FilmFormat
from nstd.images.film.order import NAMES, Order
from nstd.images.film.tracks import Copied, Encoded, Track

_TAKES = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"},
    "webm": {"opus", "vorbis"},
}
"""The kinds of sound that are copied."""
_AHEAD = 2
"""Seconds by which sound that is cut stays behind the picture, until the end is known."""
_MOST_AFTER = 600
"""Seconds of sound after the last frame; a longer one is no part of the film."""
_MOST_BYTES = 1 << 62


class Sound:
    """All tracks of sound of `source`, in step with the frames that are written.

    `offset` is the time, on the clock of the source, at which the written film starts. Without
    `is_copied`, all of it is encoded again.
    """

    def __init__(
        self, source: InputContainer, order: Order, offset: Fraction, *, is_copied: bool
    ) -> None:
        self._offset, self._is_cut, self._format = offset, order.is_cut, order.format
        self._is_copied = is_copied
        self._tracks: dict[int, Track] = {}
        self._streams = _streams(source)
        # without streams, PyAV would give the packets of all
        self._packets = iter(source.demux(*self._streams) if self._streams else ())
        self._broken = self._given_up = False
        self._next = self._following()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as in the source."""
        if not self._streams:
            return ("its sound is of a kind that is not read, and was left out",)
        notes = dict.fromkeys(track.note for track in self._tracks.values() if track.note)
        if self._broken or any(track.skipped for track in self._tracks.values()):
            notes["parts of its sound are broken, and were left out"] = None
        if self._given_up:
            notes["its sound cannot be written in this format, and was left out"] = None
        return tuple(notes)

    def give_up(self) -> None:
        """Write no sound: the format cannot hold it."""
        self._tracks, self._next, self._given_up = {}, None, True

    @property
    def lead(self) -> Fraction:
        """The seconds by which sound that is copied begins before the first frame."""
        if self._is_cut:
            return Fraction(0)
        starts = [
            each.start_time * each.time_base
            for each in self._streams
            if each.start_time is not None and each.time_base is not None
        ]
        return max(Fraction(0), self._offset - min(starts, default=self._offset))

    def add_to(self, out: OutputContainer) -> None:
        """Add the tracks to a film, before its first frame is written."""
        for stream in self._streams:
            codec = stream.codec_context.codec.canonical_name
            if not _is_taken(self._format, stream):
                why = f"{NAMES[self._format]} takes no {codec}"
            elif self._is_copied:
                self._tracks[stream.index] = Copied(out, stream, self._offset)
                continue
            else:
                why = "it was cut" if self._is_cut else "it is damaged"
            self._tracks[stream.index] = Encoded(out, stream, self._format, self._offset, why)

    def write_until(self, time: Fraction) -> None:
        """Write what is heard before `time`, in seconds from the start of the written film."""
        self._write(time - _AHEAD if self._is_cut else time)

    def finish(self, end: Fraction) -> None:
        """Write the rest, of a cut one what is heard before `end`."""
        for track in self._tracks.values():
            track.end = end if self._is_cut else None
        self._write(end if self._is_cut else end + _MOST_AFTER)
        for track in self._tracks.values():
            track.finish()

    def _write(self, until: Fraction) -> None:
        while self._next is not None:
            packet = self._next
            time = None if packet.pts is None else packet.pts * packet.time_base - self._offset
            if time is not None and time >= until:
                return
            if packet.size:
                self._tracks[packet.stream_index].write(packet)
            self._next = self._following()

    def _following(self) -> Packet[Stream] | None:
        """The next packet of the source; None at its end, or where it cannot be read."""
        try:
            return next(self._packets, None)
        except av.error.FFmpegError:
            self._broken = True
            return None


class _Nowhere(io.RawIOBase):
    """A file whose content is not kept."""

    def __init__(self) -> None:
        self._at = self._end = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at


def _can_be_copied(order: Order, file: BinaryIO, offset: Fraction) -> bool:
    """Whether the format takes each packet of what it takes in general: this is tried.

    A film cannot be made again when its sound turns out to be broken.
    """
    try:
        with (
            open_container(file, order.facts.kind) as source,
            av.open(_Nowhere(), "w", order.format) as out,
        ):
            streams = [each for each in _streams(source) if _is_taken(order.format, each)]
            tracks = {stream.index: Copied(out, stream, offset) for stream in streams}
            for packet in source.demux(*streams) if streams else ():
                if packet.size:
                    tracks[packet.stream_index].write(packet)
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _streams(source: InputContainer) -> list[AudioStream]:
    audio = source.streams.audio
    return [each for each in audio if getattr(each.codec_context, "name", "") in SOUND_CODECS]


def _is_taken(format: FilmFormat, stream: AudioStream) -> bool:
    return stream.codec_context.codec.canonical_name in _TAKES[format]


@contextmanager
def open_sound(order: Order, first: Fraction) -> Iterator[Sound | None]:
    """The sound of the source; None if it has none. `first` is the time of the first frame."""
    if not order.facts.has_sound:
        yield None
        return
    offset = order.facts.start + first
    with open_regular(order.source, _MOST_BYTES) as file:
        is_copied = not order.is_cut and _can_be_copied(order, file, offset)
        with open_container(file, order.facts.kind) as container:
            yield Sound(container, order, offset, is_copied=is_copied)
