"""The sound of a film: copied into the film that is written, or encoded again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av import AudioFrame, AudioResampler, Packet
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from nstd.images.decode import open_regular
from nstd.images.film.demux import SOUND_CODECS, open_container
from nstd.images.film.kinds import FilmFormat
from nstd.images.film.order import NAMES, Order

_TAKES = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"},
    "webm": {"opus", "vorbis"},
}
"""The kinds of sound that are copied."""
_ENCODERS = {"mp4": ("aac", 96_000), "webm": ("libopus", 64_000)}
"""The encoder and its bits in a second, for each channel."""
_RATES = {"aac": (44_100, 48_000), "libopus": (48_000,)}
_LAYOUTS = ("mono", "stereo", "5.1", "7.1")
_CODEC_NAMES = {"aac": "AAC", "libopus": "Opus"}
_AHEAD = 2
"""Seconds by which sound that is cut stays behind the picture, until the end is known."""
_MOST_AFTER = 600
"""Seconds of sound after the last frame; a longer one is no part of the film."""
_MOST_BYTES = 1 << 62


class Sound:
    """All tracks of sound of `source`, in step with the frames that are written.

    `offset` is the time, on the clock of the source, at which the written film starts; with
    `is_cut`, the sound outside of the frames is cut off.
    """

    def __init__(
        self, source: InputContainer, format: FilmFormat, offset: Fraction, *, is_cut: bool
    ) -> None:
        self._offset, self._is_cut, self._format = offset, is_cut, format
        self._tracks: dict[int, _Track] = {}
        self._source = source
        self._packets = source.demux(*self._streams())
        self._next = next(self._packets, None)
        self._broken = self._given_up = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as in the source."""
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
            for each in self._streams()
            if each.start_time is not None and each.time_base is not None
        ]
        return max(Fraction(0), self._offset - min(starts, default=self._offset))

    def add_to(self, out: OutputContainer) -> None:
        """Add the tracks to a film, before its first frame is written."""
        for stream in self._streams():
            codec = stream.codec_context.codec.canonical_name
            if codec in _TAKES[self._format] and not self._is_cut:
                self._tracks[stream.index] = _Copied(out, stream, self._offset)
            else:
                self._tracks[stream.index] = _Encoded(
                    out, stream, self._format, self._offset, is_cut=self._is_cut
                )

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

    def _streams(self) -> list[AudioStream]:
        audio = self._source.streams.audio
        return [each for each in audio if getattr(each.codec_context, "name", "") in SOUND_CODECS]

    def _write(self, until: Fraction) -> None:
        while self._next is not None:
            packet = self._next
            time = None if packet.pts is None else packet.pts * packet.time_base - self._offset
            if time is not None and time >= until:
                return
            if packet.size:
                self._tracks[packet.stream_index].write(packet)
            try:
                self._next = next(self._packets, None)
            except av.error.FFmpegError:
                self._next, self._broken = None, True


class _Track(ABC):
    """One track; `end` is where it is cut off, in seconds of the written film."""

    note = ""
    skipped = 0
    end: Fraction | None = None

    @abstractmethod
    def write(self, packet: Packet[Stream]) -> None:
        """Write the sound of a packet of the source."""

    def finish(self) -> None:  # noqa: B027 - most hold nothing
        """Write what is still held."""


class _Copied(_Track):
    """A track whose packets are copied."""

    def __init__(self, out: OutputContainer, source: AudioStream, offset: Fraction) -> None:
        self._out, self._offset = out, offset
        self._stream = out.add_stream_from_template(source)

    def write(self, packet: Packet[Stream]) -> None:
        if packet.pts is None or packet.dts is None:
            self.skipped += 1
            return
        shift = round(self._offset / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        packet.stream = self._stream
        try:
            self._out.mux(packet)
        except av.error.OSError:
            raise
        except av.error.FFmpegError:
            self.skipped += 1


class _Encoded(_Track):
    """A track that is decoded and encoded again, cut at the start and at the end."""

    def __init__(
        self,
        out: OutputContainer,
        source: AudioStream,
        format: FilmFormat,
        offset: Fraction,
        *,
        is_cut: bool,
    ) -> None:
        self._out, self._offset = out, offset
        name, bits = _ENCODERS[format]
        rate = source.codec_context.sample_rate
        rate = rate if rate in _RATES[name] else _RATES[name][-1]
        layout = source.layout.name if source.layout.name in _LAYOUTS else "stereo"
        self._resampler = AudioResampler("fltp", layout, rate)
        stream = out.add_stream(name, rate=rate, layout=layout)
        assert isinstance(stream, AudioStream)
        stream.codec_context.bit_rate = bits * stream.layout.nb_channels
        self._stream, self._rate = stream, rate
        codec = source.codec_context.codec.canonical_name
        self.note = f"its sound was encoded again, as {_CODEC_NAMES[name]}: " + (
            "it was cut" if is_cut else f"{NAMES[format]} takes no {codec}"
        )

    def write(self, packet: Packet[Stream]) -> None:
        try:
            decoded = packet.decode()
        except av.error.FFmpegError:
            self.skipped += 1
            return
        for frame in decoded:
            if isinstance(frame, AudioFrame):
                self._encode(frame)

    def finish(self) -> None:
        self._out.mux(self._stream.encode(None))

    def _encode(self, frame: AudioFrame) -> None:
        for resampled in self._resampler.resample(frame):
            for part in self._trimmed(resampled):
                self._out.mux(self._stream.encode(part))

    def _trimmed(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """The part of a frame that is heard in the written film, with its time there."""
        if frame.pts is None or frame.time_base is None:
            return
        start = round((frame.pts * frame.time_base - self._offset) * self._rate)
        first = max(0, -start)
        last = frame.samples if self.end is None else math.ceil(self.end * self._rate) - start
        last = min(frame.samples, last)
        if first >= last:
            return
        samples = frame.to_ndarray()[:, first:last]
        part = AudioFrame.from_ndarray(samples.copy(), "fltp", frame.layout.name)
        part.sample_rate, part.time_base = self._rate, Fraction(1, self._rate)
        part.pts = start + first
        yield part


@contextmanager
def open_sound(order: Order, first: Fraction) -> Iterator[Sound | None]:
    """The sound of the source; None if it has none. `first` is the time of the first frame."""
    if not order.facts.has_sound:
        yield None
        return
    offset = order.facts.start + first
    with (
        open_regular(order.source, _MOST_BYTES) as file,
        open_container(file, order.facts.kind) as container,
    ):
        yield Sound(container, order.format, offset, is_cut=order.is_cut)
