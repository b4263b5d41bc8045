"""Opens the containers of films by PyAV, with the demuxers and decoders that are used alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from nstd.images.film.kinds import FilmKind
from nstd.images.film.source import opened_again

DEMUXERS: dict[FilmKind, str] = {
    "mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    "mov": "mov,mp4,m4a,3gp,3g2,mj2",
    "mkv": "matroska,webm",
    "webm": "matroska,webm",
    "avi": "avi",
}
CODECS = (
    *("h264", "hevc", "libdav1d", "av1", "vp8", "vp9", "libvpx", "libvpx-vp9", "mpeg4"),
    *("mpeg2video", "mpeg1video", "h263", "mjpeg", "prores", "dnxhd", "cfhd", "ffv1", "huffyuv"),
    *("ffvhuff", "utvideo", "qtrle", "png", "rawvideo", "v210", "theora", "dvvideo", "vvc"),
    *("msmpeg4v3", "msmpeg4v2", "wmv2", "gif", "libwebp"),
)
"""The decoders of pictures that are used. FFmpeg has hundreds, most of them for old formats, and
each may have holes that a hostile film could use."""
SOUND_CODECS = (
    *("aac", "mp3float", "mp3", "opus", "libopus", "vorbis", "flac", "alac", "ac3", "eac3", "mp2"),
    *("mp2float", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
    *("pcm_f32le", "pcm_f32be", "pcm_u8", "pcm_s8", "pcm_alaw", "pcm_mulaw", "amrnb", "amrwb"),
    *("libopencore_amrnb", "libopencore_amrwb", "wmav2", "adpcm_ima_wav", "adpcm_ms"),
)
_SLACK = 1 << 17
"""Pixels that a decoder may take beyond the limit, as it rounds sides up to whole blocks."""


@contextmanager
def open_container(
    file: BinaryIO, kind: FilmKind, max_pixels: int | None = None
) -> Iterator[InputContainer]:
    """The film in `file`, from its start on. Raises the errors of PyAV."""
    options = {
        "codec_whitelist": ",".join(CODECS + SOUND_CODECS),
        "max_streams": "64",
        "threads": "1",
    }
    if max_pixels is not None:
        options["max_pixels"] = str(most_pixels(max_pixels))
    with (
        opened_again(file) as own,
        av.open(own, "r", DEMUXERS[kind], options, metadata_errors="replace") as container,
    ):
        yield container


def most_pixels(limit: int) -> int:
    """The pixels that a decoder may take for a frame of at most `limit` pixels."""
    return limit * 5 // 4 + _SLACK


def moving_pictures(container: InputContainer) -> list[VideoStream]:
    """The streams of pictures without covers, the one that players take first."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [each for each in container.streams.video if not each.disposition & covers]
    return sorted(streams, key=lambda each: not each.disposition & Disposition.default)
