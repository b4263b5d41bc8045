"""Writes MP4 with H.264, and WebM with VP9, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.container.core import Flags as ContainerFlags
from av.video.stream import VideoStream

from nstd import __version__
from nstd.images.alpha import over_white
from nstd.images.film import yuv
from nstd.images.film.order import Order
from nstd.images.film.pacing import Timed
from nstd.images.film.sound import Sound, open_sound
from nstd.images.model import Array

_LARGEST = 1_000_000
_LEAD = Fraction(1, 10)
"""Sound that begins more than this, in seconds, before the first frame is kept: the frames are then
shown later, as in the source. A shorter one is the silence at the start of an encoder."""
_SECONDS_OF_A_GROUP = 2
"""Between two frames to which a player can jump."""


@dataclass(frozen=True)
class _Encoder:
    name: str
    options: dict[str, str]
    container: dict[str, str]


_ENCODERS: dict[str, _Encoder] = {
    # without B-frames, whose order is another than that of their times: uneven times stay exact
    "mp4": _Encoder(
        "libx264", {"crf": "17", "preset": "medium", "bf": "0"}, {"movflags": "+faststart"}
    ),
    "webm": _Encoder(
        "libvpx-vp9",
        {"crf": "22", "b": "0", "deadline": "good", "cpu-used": "3", "row-mt": "1"},
        {},
    ),
}


def write_video(order: Order, frames: Iterator[Timed]) -> tuple[str, ...]:
    """Write the frames, and the sound of the source; return notes.

    An odd side gets one more row or column, like its last: 4:2:0 halves both sides.
    """
    first, unit = next(frames), order.unit
    with open_sound(order, first.frame.moment.time) as sound:
        out, stream = _begun(order, first, sound)
        with out:
            end = _encode(out, stream, first, unit)
            for timed in frames:
                if sound is not None:
                    sound.write_until(timed.start * unit)
                end = _encode(out, stream, timed, unit)
            out.mux(stream.encode(None))
            if sound is not None:
                sound.finish(end * unit)
        return () if sound is None else sound.notes


def read_video_recipe(path: Path) -> str | None:
    """The recipe in a film that nstd wrote; None for another."""
    with av.open(str(path.absolute()), metadata_errors="replace") as film:
        said = {key.lower(): value for key, value in film.metadata.items()}
    return said.get("description") if said.get("comment", "").startswith("nstd ") else None


def _begun(order: Order, first: Timed, sound: Sound | None) -> tuple[OutputContainer, VideoStream]:
    """A film whose head is written; without the sound if its head cannot be written with it."""
    encoder = _ENCODERS[order.format]
    options = dict(encoder.container)
    if sound is not None and sound.lead > _LEAD:
        options["avoid_negative_ts"] = "make_zero"
    out = av.open(str(order.path.absolute()), "w", order.format, container_options=options)
    # without random numbers: the same film is the same file
    out.flags |= cast(int, ContainerFlags.bitexact.value)
    try:
        out.metadata.update(description=order.recipe, comment=f"nstd {__version__}")
        stream = _stream(out, encoder, first, order)
        if sound is not None:
            sound.add_to(out)
        out.start_encoding()
    except (av.error.FFmpegError, ValueError) as error:
        out.close()
        if sound is None or isinstance(error, OSError):
            raise
        sound.give_up()
        return _begun(order, first, None)
    return out, stream


def _stream(out: OutputContainer, encoder: _Encoder, first: Timed, order: Order) -> VideoStream:
    with_alpha = first.frame.alpha is not None and encoder.name == "libvpx-vp9"
    options = dict(encoder.options)
    if with_alpha:
        options["auto-alt-ref"] = "0"  # it cannot hide frames of both, colour and transparency
    rate = order.rate.limit_denominator(_LARGEST)
    stream = out.add_stream(encoder.name, rate=rate, options=options)
    assert isinstance(stream, VideoStream)
    height, width, _ = first.frame.pixels.shape
    stream.width, stream.height = width + width % 2, height + height % 2
    stream.pix_fmt = "yuva420p" if with_alpha else "yuv420p"
    context = stream.codec_context
    stream.time_base = context.time_base = order.unit
    context.gop_size = max(1, round(rate * _SECONDS_OF_A_GROUP))
    context.flags |= Flags.frame_duration
    context.color_range = yuv.LIMITED
    context.colorspace = context.color_primaries = context.color_trc = yuv.BT709
    return stream


def _encode(out: OutputContainer, stream: VideoStream, timed: Timed, unit: Fraction) -> int:
    """Write one frame; the result is when it ends, in units."""
    pixels, alpha = timed.frame.pixels, timed.frame.alpha
    if alpha is not None and stream.pix_fmt == "yuv420p":
        pixels, alpha = over_white(pixels, alpha), None
    cover = None if alpha is None else _even(alpha)
    frame = yuv.to_yuv(_even(np.clip(pixels, 0, 1)), cover)
    frame.pts, frame.duration, frame.time_base = timed.start, timed.duration, unit
    out.mux(stream.encode(frame))
    return timed.start + timed.duration


def _even(values: Array) -> Array:
    """With even sides; the last row or column is repeated if need be."""
    height, width = values.shape[:2]
    edges = [(0, height % 2), (0, width % 2), (0, 0)][: values.ndim]
    return np.pad(values, edges, mode="edge")
