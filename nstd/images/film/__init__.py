"""Reads and writes films: film files, animated pictures and folders of numbered frames.

This module imports nothing, so that the daemon can import `nstd.images.film.kinds` alone.
"""
