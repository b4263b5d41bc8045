"""nstd: a watch-folder batch daemon for neural style transfer."""

import os

__version__ = "0.1.0"

# pydantic looks for plugins of its own in every installed distribution when the first model is
# made, and raises when one of them is broken: nstd has to survive such a neighbour.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
