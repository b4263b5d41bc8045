"""Reads the films of PyAV: MP4, QuickTime, Matroska, WebM and AVI."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing
from fractions import Fraction
from functools import partial
from typing import BinaryIO

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from nstd.images.develop import develop
from nstd.images.film import yuv
from nstd.images.film.boxes import claimed_samples
from nstd.images.film.demux import CODECS, DEMUXERS, most_pixels, moving_pictures, open_container
from nstd.images.film.display import orientation_of_matrix, shown_size
from nstd.images.film.failures import broken, cut_short
from nstd.images.film.kinds import FilmKind
from nstd.images.film.model import FilmFacts, FilmLimits
from nstd.images.film.source import DecodedFrame
from nstd.images.film.whole import is_whole
from nstd.images.model import Picture, Scale, Stored
from nstd.images.space import Space, space_of_code_points

_WITH_ALPHA = {"vp9": "libvpx-vp9", "vp8": "libvpx"}
"""FFmpeg's own decoders of these leave the transparency out."""
_INTERLACED = "it is interlaced: its frames are taken as they are, with both half-frames"
_SUBTITLES = "its subtitles are left out"
_SEVERAL = "it contains several moving pictures, and the first one is taken"
_MOST_SAMPLES = 5_000_000
"""Of all tracks together; FFmpeg takes up to 40 bytes for each that is announced."""
_BEHIND = 1000
"""The most frames that may be shown no later than the one before."""


class Container:
    """The first moving picture of a film's file."""

    def __init__(self, name: str, kind: FilmKind, file: BinaryIO, limits: FilmLimits) -> None:
        self._name, self._kind, self._file, self._limits = name, kind, file, limits
        self._damaged = self._behind = 0
        self._seen: dict[str, None] = {}
        if not is_whole(file, kind):
            raise cut_short(name)
        if DEMUXERS[kind].startswith("mov") and claimed_samples(file) > _MOST_SAMPLES:
            raise broken(name, "its container announces more frames than can be")
        with closing(self.decoded()) as frames:
            first = next(frames, None)
        if first is None:
            raise broken(name, "it has no frame that can be decoded")
        with self._open() as container:
            self.facts = self._facts(container, first)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the film, as far as it has been decoded."""
        said = list(self._seen)
        if self._damaged:
            said.append(f"{self._damaged:,} of its frames are damaged, and taken as they are")
        if self._behind:
            said.append(f"{self._behind:,} frames without a time of their own were left out")
        return tuple(said)

    def decoded(self) -> Generator[DecodedFrame]:
        """All frames from the first one on, with ascending times."""
        self._damaged = self._behind = 0
        before: Fraction | None = None
        with self._open() as container:
            stream = self._stream(container)
            for frame in self._frames(container, stream):
                self._damaged += frame.is_corrupt
                unit = frame.time_base or stream.time_base or Fraction(1)
                time = self._time_of(frame, unit, before, stream)
                if before is not None and time <= before:
                    self._behind += 1
                    if self._behind > _BEHIND:
                        raise broken(self._name, "its frames have no times of their own")
                    continue
                before = time
                yield self._decoded(stream, frame, time, unit)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> AbstractContextManager[InputContainer]:
        return open_container(self._file, self._kind, self._limits.pixels)

    def _stream(self, container: InputContainer) -> VideoStream:
        streams = moving_pictures(container)
        if not streams:
            raise broken(self._name, "it contains no moving picture")
        stream = streams[0]
        # a stream whose codec FFmpeg does not know has none
        codec = getattr(stream.codec_context, "name", "unknown")
        if codec not in CODECS:
            raise broken(self._name, f"its moving picture is in {codec}, which is not read")
        return stream

    def _frames(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """All frames that can be decoded; packets before the first one may be of no use."""
        decoder = self._decoder(stream)
        found = False
        for packet in container.demux(stream):
            try:
                frames = decoder.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                if found:
                    raise
                continue
            found = found or bool(frames)
            yield from frames

    def _decoder(self, stream: VideoStream) -> VideoCodecContext:
        """In one thread: then a damaged film too gives the same frames each time."""
        decoder = stream.codec_context
        name = _WITH_ALPHA.get(decoder.name)
        if name is not None and stream.metadata.get("alpha_mode") == "1":
            made = CodecContext.create(name, "r")
            assert isinstance(made, VideoCodecContext)
            made.extradata = decoder.extradata
            decoder = made
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(most_pixels(self._limits.pixels))}
        return decoder

    def _time_of(
        self, frame: VideoFrame, unit: Fraction, before: Fraction | None, stream: VideoStream
    ) -> Fraction:
        """When a frame is shown.

        One without a time follows the one before. So do those of an AVI whose times are not
        theirs: it has none for frames that are stored in another order.
        """
        time = Fraction(0) if frame.pts is None else frame.pts * unit
        if before is None or (frame.pts is not None and self._kind != "avi"):
            return time
        rate = stream.average_rate
        step = frame.duration * unit or (1 / rate if rate else Fraction(0))
        return max(time, before + step)

    def _decoded(
        self, stream: VideoStream, frame: VideoFrame, time: Fraction, unit: Fraction
    ) -> DecodedFrame:
        if frame.interlaced_frame:
            self._seen[_INTERLACED] = None
        if (space := _space(frame)) is not None and space.note:
            self._seen[space.note] = None
        orientation = _orientation(frame)
        size = shown_size(frame.width, frame.height, stream.sample_aspect_ratio, orientation)
        return DecodedFrame(
            time,
            max(0, frame.duration) * unit,
            size,
            partial(_developed, frame, orientation),
            yuv.has_alpha(frame.format),
        )

    def _facts(self, container: InputContainer, first: DecodedFrame) -> FilmFacts:
        stream = self._stream(container)
        unit = stream.time_base or Fraction(1, 1000)
        seconds = float(stream.duration * unit) if stream.duration else None
        if seconds is None and container.duration:
            seconds = container.duration / av.time_base
        width, height = first.size
        if len(moving_pictures(container)) > 1:
            self._seen[_SEVERAL] = None
        if container.streams.subtitles:
            self._seen[_SUBTITLES] = None
        return FilmFacts(
            kind=self._kind,
            width=width,
            height=height,
            codec=stream.codec_context.codec.canonical_name,
            # an AVI counts moments at which nothing new is shown
            frames=stream.frames if stream.frames and self._kind != "avi" else None,
            seconds=seconds,
            rate=_rate(stream),
            has_sound=any(sound.codec_context for sound in container.streams.audio),
            start=first.time,
        )


def _rate(stream: VideoStream) -> Fraction | None:
    """The frames in a second, if the container says that they are even."""
    average, base = stream.average_rate, stream.base_rate
    return average if average and average == base else None


def _orientation(frame: VideoFrame) -> int:
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    return orientation_of_matrix(bytes(matrix)) or 1 if matrix is not None else 1


def _developed(frame: VideoFrame, orientation: int, scale: Scale) -> Picture:
    values, alpha = yuv.to_rgb(frame, VideoReformatter())
    stored = Stored(values=values, alpha=alpha, space=_space(frame), orientation=orientation)
    return develop(stored, scale)


def _space(frame: VideoFrame) -> Space | None:
    return space_of_code_points(frame.color_primaries, frame.color_trc)
