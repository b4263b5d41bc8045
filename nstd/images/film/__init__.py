"""Reads and writes films: film files, animated pictures and folders of numbered frames.

Also how what they show moves, and where they are cut. This module imports nothing, so that the
daemon can import `nstd.images.film.kinds` alone.
"""
