"""Reads and writes pictures: every input becomes float32 sRGB, every output contains its recipe.

This module imports nothing: the daemon and its commands import `nstd.images.film.kinds`, and load
neither NumPy nor Pillow by it.
"""
