"""The setup of `nstd bench gpu` from a config: networks, and a folder with their weights."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nstd.backends.gatys.options import Options
from nstd.backends.weights_registry import RETRAINED
from nstd.bench.gpu.plan import SMALL, GpuSetup
from nstd.bench.speed.run import vgg_weights
from nstd.documents.config import Config


@contextmanager
def setup_for(device: str, config: Config, *, small: bool) -> Iterator[GpuSetup]:
    """The default network, and VGG-19 with its installed weights, else with random ones.

    With `small`, only the default network, at tiny sizes.
    """
    default, networks = Options().network, config.folder("networks")
    if small:
        yield GpuSetup(device, (default,), str(networks), SMALL)
        return
    with tempfile.TemporaryDirectory() as folder:
        weights, _ = vgg_weights(networks, Path(folder), lambda _: None)
        yield GpuSetup(device, (default, RETRAINED), str(weights.parent))
