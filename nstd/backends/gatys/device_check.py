"""Whether a device computes right, and how fast: small evaluations of the network in the package.

A broken accelerator, driver or library may give wrong numbers without any error. The loss here, the
mean square of the products of a layer's channels, uses what a job uses: convolutions in both
directions, pooling, products of matrices, and sums.
"""

from __future__ import annotations

import math
import time
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys import networks
from nstd.backends.gatys.networks import NETWORKS, Network, NetworkRequest
from nstd.backends.gatys.precision import precision_for
from nstd.errors import BackendError

MOST_ERROR = 0.02
"""The largest relative error of a device that computes right."""
_NETWORK = "student"
_LAYERS = NETWORKS[_NETWORK].style_layers
_SIDE, _TIMED_SIDE = 64, 256  # pixels of the pictures
_REPEATS = 3


@cache
def require_right(device: str) -> None:
    """Raise BackendError `device_failed` if `device` computes wrong; looked at once a process."""
    if device == "cpu":
        return
    error = relative_error(device)
    if not error < MOST_ERROR:
        raise BackendError(
            "device_failed",
            f"{device} computes wrong: its relative error is {error:.2g}, "
            f"and at most {MOST_ERROR:g} is right",
            "see `nstd doctor` and the kernel log, or set `devices` in the config",
        )


def relative_error(device: str) -> float:
    """The larger relative error of two results on `device`, beside float64 on the CPU.

    These are the gradient in float32, and the loss in the precision that jobs use: the gradient
    of a single evaluation in bfloat16 is off by a tenth on every device. Infinite where the device
    gives no number.
    """
    exact, gradient = _evaluate(_network("cpu", "float64"), _picture(_SIDE).double())
    loss, _ = _evaluate(_network(device, precision_for(device)), _picture(_SIDE).to(device))
    _, found = _evaluate(_network(device, "float32"), _picture(_SIDE).to(device))
    distance = (found.cpu().double() - gradient).norm() / gradient.norm()
    error = max(float(distance), abs(loss / exact - 1))
    return error if math.isfinite(float(distance) + loss) else math.inf


def seconds_of_evaluation(device: str) -> float:
    """The seconds of one evaluation on `device`, as jobs compute it: the least of several."""
    network, picture = _network(device, precision_for(device)), _picture(_TIMED_SIDE).to(device)
    _evaluate(network, picture)  # the first one compiles kernels and allocates memory
    return min(_seconds(network, picture) for _ in range(_REPEATS))


def _seconds(network: Network, picture: Tensor) -> float:
    began = time.perf_counter()
    _evaluate(network, picture)  # reading its loss waits for the device
    return time.perf_counter() - began


def _evaluate(network: Network, picture: Tensor) -> tuple[float, Tensor]:
    """The loss of `picture` (1, 3, H, W), and its gradient."""
    picture = picture.requires_grad_()
    loss = picture.new_zeros(())
    for _, features in network.features(picture, _LAYERS):
        flat = features[0].flatten(1).to(picture.dtype)
        loss = loss + (flat @ flat.T / flat.shape[1]).square().mean()
    (gradient,) = torch.autograd.grad(loss, picture)
    return float(loss.item()), gradient


def _picture(side: int) -> Tensor:
    """A picture (1, 3, side, side) with shapes of several sizes, the same on every device."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, side // 8, side // 8, generator=generator)
    shapes = functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return (shapes + 0.1 * torch.rand(1, 3, side, side, generator=generator)).clamp(0, 1)


def _network(device: str, precision: str) -> Network:
    request = NetworkRequest(
        name=_NETWORK,
        pictures=(),
        layers=_LAYERS,
        pooling=NETWORKS[_NETWORK].pooling,
        seed=0,
        device=device,
        precision=precision,
        weights=Path(),
    )
    return networks.load(request)
