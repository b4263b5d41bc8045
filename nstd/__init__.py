"""nstd: a watch-folder batch daemon for neural style transfer."""

import os

__version__ = "0.1.0"

# When its first model is made, pydantic searches every installed distribution for plugins of its
# own, and raises an error when one is broken. nstd must work in spite of such a distribution.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
