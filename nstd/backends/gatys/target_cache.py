"""Statistics of paintings, cached from earlier jobs: bit for bit the same as computed again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nstd.backend import Task
from nstd.backends.gatys.device_memory import device_name
from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.precision import precision_for
from nstd.backends.gatys.regions import Painting
from nstd.backends.gatys.statistic import Statistic
from nstd.backends.gatys.tiled_features import View
from nstd.system.disk_cache import DiskCache

FORMAT = 1  # raised when statistics of the same pictures or the file format change

Statistics = dict[str, Statistic]
"""Statistics by layer."""


class TargetCache:
    """A cache of the statistics of paintings; the key includes everything that they depend on."""

    def __init__(self, cache: DiskCache, facts: tuple[object, ...]) -> None:
        """`facts` identify the network and the machine."""
        self._cache, self._facts = cache, facts

    @classmethod
    def of(cls, task: Task, network: Network) -> TargetCache | None:
        """The cache of `task`; None when it has none, or when its network is only for this job."""
        options = task.options
        if task.cache is None or not options.spec.warm:
            return None
        precision = precision_for(task.device, options.precision)
        facts = (network.name, network.sha256, options.pooling_used, precision)
        return cls(task.cache, (FORMAT, *facts, *_machine(task.device)))

    def remembered(
        self, painting: Painting, view: View, look: Callable[[], Statistics]
    ) -> Statistics:
        """The statistics of `painting` in the layers of `view`; computed by `look` if not
        cached."""
        key = self._key(painting, view)
        held = self._cache.get(key)
        if held is not None:
            return _unpacked(held, painting.picture.device)
        found = look()
        self._cache.put(key, _packed(found))
        return found

    def _key(self, painting: Painting, view: View) -> str:
        """A digest of the tensors and of the settings of `view`."""
        digest = hashlib.sha256(repr((*self._facts, sorted(view.layers), view.tiles)).encode())
        for tensor in (painting.picture, painting.mask):
            if tensor is not None:
                digest.update(repr((tensor.shape, tensor.dtype)).encode())
                digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()


def _machine(device: str) -> tuple[object, ...]:
    """Facts that affect the rounding of sums: another machine may use the same folder later."""
    if torch.device(device).type != "cpu":
        return torch.__version__, device_name(device)
    return torch.__version__, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()


def _packed(statistics: Statistics) -> bytes:
    arrays: dict[str, Any] = {}
    for layer, statistic in statistics.items():
        arrays[f"{layer} mean"] = statistic.mean.cpu().numpy()
        arrays[f"{layer} second"] = statistic.second.cpu().numpy()
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(data: bytes, device: torch.device) -> Statistics:
    """The inverse of `_packed`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        held = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
    layers = {name.rpartition(" ")[0] for name in held}
    return {layer: Statistic(held[f"{layer} mean"], held[f"{layer} second"]) for layer in layers}
