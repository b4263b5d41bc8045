"""Colours of inputs: any 8-bit mode, with or without a colour profile, is converted to sRGB."""

from __future__ import annotations

import io

from PIL import Image, ImageCms

from nstd.errors import printable

_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colour in mode L, RGB or CMYK, and the alpha in mode L or None.

    A palette's or a single transparent colour counts as alpha too.
    """
    alpha = None
    if image.has_transparency_data:
        with_alpha = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        alpha = with_alpha.getchannel("A")
        image = with_alpha.convert(with_alpha.mode[:-1])
    if image.mode not in _PROFILE_MODES.values():
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, alpha


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """An L, RGB or CMYK picture in sRGB, and notes; a profile that cannot be used is ignored.

    None stands for no profile, b"" for one that could not be read from its file.

    Uses relative colorimetric intent with black point compensation, as is usual for photographs.
    """
    if profile is None:
        return image.convert("RGB"), ()
    if not profile:
        return image.convert("RGB"), ("colour profile ignored: it is broken, or too large",)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        kind = source.profile.xcolor_space.strip()
        if (mode := _PROFILE_MODES.get(kind)) is None:
            raise ValueError(f"it is for {kind}, which is not known here")
        if mode != image.mode and (image.mode, mode) != ("L", "RGB"):
            raise ValueError(f"it is for {kind}, and the picture is not")
        if image.mode == "L":
            return _grey_to_srgb(image, mode, source), ()
        return _converted(image, source), ()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        return image.convert("RGB"), (f"colour profile ignored: {printable(str(error))}",)


def _grey_to_srgb(image: Image.Image, mode: str, source: ImageCms.ImageCmsProfile) -> Image.Image:
    """A grey picture by a profile for grey or RGB: each of its 256 levels is converted.

    Without Little CMS's optimisations, whose table for a grey profile is up to 10 levels off.
    """
    levels = Image.frombytes("L", (256, 1), bytes(range(256))).convert(mode)
    table = _converted(levels, source, ImageCms.Flags.NOOPTIMIZE)
    channels = (table.getchannel(name).tobytes() for name in "RGB")
    return image.convert("RGB").point([level for channel in channels for level in channel])


def _converted(
    image: Image.Image,
    source: ImageCms.ImageCmsProfile,
    flags: ImageCms.Flags = ImageCms.Flags.NONE,
) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=flags | ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None is for inPlace=True
    return converted
