"""Remakes what ships with the package: `python -m tests.making NAME`."""
