"""Benchmarks: the quality and the speed of the engine, measured with the real daemon."""
