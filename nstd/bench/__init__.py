"""Benches: what the engine makes of pictures, and how fast, measured through the real daemon."""
