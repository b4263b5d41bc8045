"""The commands of nstd, one module each; heavy imports wait until a command runs."""

from nstd.cli.app import main

__all__ = ["main"]
