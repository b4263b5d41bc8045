"""The tracks of sound of a film that is written: copied, or encoded again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction

import av
from av import AudioFrame, AudioResampler, Packet
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Stream

from nstd.images.film.kinds import FilmFormat

_ENCODERS = {"mp4": ("aac", 96_000), "webm": ("libopus", 64_000)}
"""The encoder and its bits in a second, for each channel."""
_RATES = {"aac": (44_100, 48_000), "libopus": (48_000,)}
_LAYOUTS = ("mono", "stereo", "5.1", "7.1")
_CODEC_NAMES = {"aac": "AAC", "libopus": "Opus"}


class Track(ABC):
    """One track; `end` is where it is cut off, in seconds of the written film."""

    note = ""
    skipped = 0
    end: Fraction | None = None

    @abstractmethod
    def write(self, packet: Packet[Stream]) -> None:
        """Write the sound of a packet of the source."""

    def finish(self) -> None:  # noqa: B027 - most hold nothing
        """Write what is still held."""


class Copied(Track):
    """A track whose packets are copied."""

    def __init__(self, out: OutputContainer, source: AudioStream, offset: Fraction) -> None:
        self._out, self._offset, self._before = out, offset, -math.inf
        self._stream = out.add_stream_from_template(source)

    def write(self, packet: Packet[Stream]) -> None:
        if packet.pts is None or packet.dts is None or packet.dts <= self._before:
            self.skipped += 1
            return
        self._before = packet.dts
        shift = round(self._offset / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        packet.stream = self._stream
        self._out.mux(packet)


class Encoded(Track):
    """A track that is decoded and encoded again, cut at the start, and at `end` if there is one.

    `why` says why it is not copied.
    """

    def __init__(
        self,
        out: OutputContainer,
        source: AudioStream,
        format: FilmFormat,
        offset: Fraction,
        why: str,
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
        self._stream, self._rate, self._next = stream, rate, 0
        self.note = f"its sound was encoded again, as {_CODEC_NAMES[name]}: {why}"

    def write(self, packet: Packet[Stream]) -> None:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self.skipped += 1
            return
        for frame in frames:
            if isinstance(frame, AudioFrame):
                self._out.mux(self._encoded(frame))

    def finish(self) -> None:
        self._out.mux(self._stream.encode(None))

    def _encoded(self, frame: AudioFrame) -> list[Packet[Stream]]:
        made: list[Packet[Stream]] = []
        try:
            for resampled in self._resampler.resample(frame):
                for part in self._trimmed(resampled):
                    made += self._stream.encode(part)
        except (av.error.FFmpegError, ValueError):  # suddenly of another kind
            self.skipped += 1
        return made

    def _trimmed(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """The part of a frame that is heard in the written film, with its time there."""
        if frame.pts is None or frame.time_base is None:
            return
        start = round((frame.pts * frame.time_base - self._offset) * self._rate)
        first = max(0, self._next - start)
        last = frame.samples if self.end is None else math.ceil(self.end * self._rate) - start
        last = min(frame.samples, last)
        if first >= last:
            return
        self._next = start + last
        part = AudioFrame.from_ndarray(
            frame.to_ndarray()[:, first:last].copy(), "fltp", frame.layout.name
        )
        part.sample_rate, part.time_base = self._rate, Fraction(1, self._rate)
        part.pts = start + first
        yield part
