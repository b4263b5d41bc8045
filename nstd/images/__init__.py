"""Reads and writes pictures: every input becomes float32 sRGB, every output contains its recipe."""

from nstd.images.decode import FORMATS, Picture, load_image
from nstd.images.encode import encode_image, over_white, read_recipe, save_image, save_preview
from nstd.images.mask import load_mask
from nstd.images.thumbnails import encode_strip, encode_view

__all__ = [
    "FORMATS",
    "Picture",
    "encode_image",
    "encode_strip",
    "encode_view",
    "load_image",
    "load_mask",
    "over_white",
    "read_recipe",
    "save_image",
    "save_preview",
]
