"""The commands of nstd, one module each; slow imports are made only when a command runs."""

from nstd.cli.app import main

__all__ = ["main"]
