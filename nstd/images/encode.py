"""Encoding: float sRGB pixels become a PNG, JPEG, WebP or TIFF that contains its recipe."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from nstd import __version__
from nstd.documents.model import Format
from nstd.errors import BackendError, PictureError
from nstd.images.alpha import over_white

Array = NDArray[np.float32]

PREVIEW_SIDE = 512
_SOFTWARE = f"nstd {__version__}"
_JPEG_RECIPE_BYTES = 65_000  # an EXIF block ends at 65,533
_MAX_SIDE = {"jpg": 65_500, "webp": 16_383}
_PREDICTOR = 317  # a TIFF tag: 2 stores differences along rows, which deflate better
_ENCODINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "jpg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "webp": ("WEBP", {"quality": 95}),
    "tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}
_LOSSLESS: dict[str, Any] = {"lossless": True, "quality": 60}
"""For WebP with transparency: the other kind halves the resolution of colours, which under a soft
edge are not those that are seen. The quality is the effort, not a loss."""


def save_image(
    path: Path, pixels: Array, *, alpha: Array | None = None, format: Format, recipe: str
) -> None:
    """Write a picture to exactly `path`; the caller makes it durable and renames it.

    Arguments and errors are those of `encode_image`. Raises OSError when the disk fails.
    """
    path.write_bytes(encode_image(pixels, alpha=alpha, format=format, recipe=recipe))


def encode_image(
    pixels: Array, *, alpha: Array | None = None, format: Format, recipe: str
) -> bytes:
    """The bytes of a picture file, with the sRGB profile and the recipe inside.

    `pixels` is (height, width, 3) sRGB in [0, 1], `alpha` (height, width) in [0, 1]; JPEG, which
    has no transparency, shows the picture over white. `recipe` is a JSON text; a recipe of more
    than 65,000 bytes does not fit into a JPEG and is left out.

    Raises PictureError for a side that is too long for the format, and BackendError for pixels
    that are not a picture.
    """
    if alpha is not None and format == "jpg":
        pixels, alpha = over_white(pixels, alpha), None
    image = _as_image(pixels)
    if alpha is not None:
        image.putalpha(Image.fromarray(_bytes(alpha)))
    _check_side(image, format)
    encoder, options = _ENCODINGS[format]
    if alpha is not None and format == "webp":
        options = _LOSSLESS
    buffer = io.BytesIO()
    image.save(buffer, encoder, icc_profile=_srgb_profile(), **options, **_metadata(format, recipe))
    return buffer.getvalue()


def read_recipe(path: Path) -> str | None:
    """The recipe inside a picture that nstd made; None for any other picture.

    Raises OSError for a file that cannot be read as a picture.
    """
    with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
        if isinstance(image, PngImagePlugin.PngImageFile):
            software, text = image.text.get("Software", ""), image.text.get("Description")
            return text if software.startswith("nstd ") else None
        exif = image.getexif()
        if not str(exif.get(ExifTags.Base.Software, "")).startswith("nstd "):
            return None
        text = exif.get(ExifTags.Base.ImageDescription)
        # EXIF text has no declared encoding: Pillow decodes our UTF-8 as Latin-1
        return None if text is None else str(text).encode("latin-1").decode("utf-8")


def save_preview(pixels: Array) -> bytes:
    """A small JPEG of (height, width, 3) sRGB pixels, its longest side at most 512."""
    image = _as_image(pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _metadata(format: Format, recipe: str) -> dict[str, Any]:
    if format == "png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("Description", recipe)
        text.add_text("Software", _SOFTWARE)
        return {"pnginfo": text}
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = _SOFTWARE
    if format == "tiff":
        exif[_PREDICTOR] = 2
    encoded = recipe.encode()
    if format != "jpg" or len(encoded) <= _JPEG_RECIPE_BYTES:
        exif[ExifTags.Base.ImageDescription] = encoded
    return {"exif": exif}


def _srgb_profile() -> bytes:
    """Little CMS's sRGB profile without its date, so that equal pictures are equal files."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]


def _check_side(image: Image.Image, format: Format) -> None:
    limit = _MAX_SIDE.get(format)
    if limit is not None and max(image.size) > limit:
        raise PictureError(
            "picture_refused",
            f"a {format} picture holds at most {limit} pixels a side, not {max(image.size)}",
            "choose output.format png or tiff, or a smaller output.size",
        )


def _as_image(pixels: Array) -> Image.Image:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size or not np.isfinite(pixels).all():
        raise BackendError(
            "backend_failed",
            f"the result is no picture: shape {pixels.shape}, or values that are not finite",
            "report it to the makers of the backend",
        )
    return Image.fromarray(_bytes(pixels))


def _bytes(values: Array) -> NDArray[np.uint8]:
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
