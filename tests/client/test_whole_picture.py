"""A JPEG or PNG is known to be whole without being decoded."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nstd.client.whole_picture import Size, whole_size


def encoded(kind: str, **how: Any) -> bytes:
    """A small picture with much detail."""
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 50).convert("RGB").save(buffer, kind, **how)
    return buffer.getvalue()


KINDS = [
    pytest.param(encoded("PNG"), id="png"),
    pytest.param(encoded("JPEG"), id="jpeg"),
    pytest.param(encoded("JPEG", progressive=True, exif=b"Exif\0\0" + bytes(99)), id="progressive"),
]


@pytest.mark.parametrize("data", KINDS)
def test_a_whole_file_has_its_size_and_no_beginning_of_it_has(tmp_path: Path, data: bytes) -> None:
    """Wherever it is cut."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    assert whole_size(path) == Size(40, 30)
    for length in {*range(0, len(data), 7), *range(len(data) - 20, len(data))}:
        path.write_bytes(data[:length])
        assert whole_size(path) is None, length


def test_a_png_with_one_wrong_bit_is_not_whole(tmp_path: Path) -> None:
    """Wherever it is: each part has a checksum."""
    data, path = encoded("PNG"), tmp_path / "picture"
    for place in range(8, len(data), 11):
        harmed = bytearray(data)
        harmed[place] ^= 1
        path.write_bytes(harmed)
        assert whole_size(path) is None, place


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP", "animated PNG"])
def test_of_all_else_nothing_is_known(tmp_path: Path, kind: str) -> None:
    """A decoder has to look."""
    path = tmp_path / "picture"
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    how: dict[str, Any] = {"save_all": True, "append_images": frames[1:]} if " " in kind else {}
    frames[0].save(path, kind.rsplit(maxsplit=1)[-1], **how)
    assert whole_size(path) is None
