"""Reads and writes pictures: every input becomes float32 sRGB, every output contains its recipe."""

from nstd.images.alpha import off_white, over_white
from nstd.images.decode import load_image
from nstd.images.encode import encode_image, read_recipe, save_image, save_preview
from nstd.images.kinds import FORMATS
from nstd.images.mask import load_mask
from nstd.images.model import Picture
from nstd.images.thumbnails import encode_strip, encode_view

__all__ = [
    "FORMATS",
    "Picture",
    "encode_image",
    "encode_strip",
    "encode_view",
    "load_image",
    "load_mask",
    "off_white",
    "over_white",
    "read_recipe",
    "save_image",
    "save_preview",
]
