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
from nstd.backends.gatys.device_errors import device_fault
from nstd.backends.gatys.network_protocol import Network, NetworkRequest
from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.precision import precision_for
from nstd.errors import BackendError

MOST_ERROR = 0.02
"""The largest relative error of a device that computes right."""
_FAR = 0.5  # the distance of another gradient, relative to the exact one; rounding's is below 0.15
_NETWORK = "student"
_LAYERS = NETWORKS[_NETWORK].style_layers
_SIDE, _TIMED_SIDE = 64, 256  # pixels of the pictures
_REPEATS = 3


@cache
def require_right(device: str) -> None:
    """Raise BackendError `device_failed` if `device` computes wrong; looked at once a process.

    Also for a fault of the device meanwhile, or `out_of_memory`; then it is looked at again.
    """
    if device == "cpu":
        return
    try:
        error = relative_error(device)
    except (RuntimeError, MemoryError) as failure:
        raise device_fault(failure, device) or failure from None
    if not error < MOST_ERROR:
        raise BackendError(
            "device_failed",
            f"{device} computes wrong: its relative error is {error:.2g}, "
            f"and at most {MOST_ERROR:g} is right",
            "see `nstd doctor` and the kernel log, or set `devices` in the config",
        )


def relative_error(device: str) -> float:
    """The largest relative error of a loss and of gradients on `device`, beside float64 on the CPU.

    In the precision of jobs and in float32. Rounding to bfloat16 or TF32 turns a gradient by a
    tenth on every device, at random, so what counts is its share along the exact one: how far a
    step lowers the loss; in float32, in each quarter of the picture. Infinite where the device
    gives no number, or another gradient.
    """
    exact, slope = _evaluate(_network("cpu", "float64"), _picture(_SIDE).double())
    loss, own = _evaluate_on(device, precision_for(device))
    _, plain = _evaluate_on(device, "float32")
    quarters = zip(_quarters(plain), _quarters(slope), strict=True)
    errors = [abs(loss / exact - 1), _error_along(own, slope)]
    errors += [_error_along(*quarter) for quarter in quarters]
    distance = float((plain - slope).norm() / slope.norm())
    return max(errors) if math.isfinite(sum(errors)) and distance < _FAR else math.inf


def _evaluate_on(device: str, precision: str) -> tuple[float, Tensor]:
    """The loss there, and its gradient as float64 on the CPU."""
    loss, gradient = _evaluate(_network(device, precision), _picture(_SIDE).to(device))
    return loss, gradient.cpu().double()


def _error_along(gradient: Tensor, exact: Tensor) -> float:
    """How far the part of a gradient along the exact one is from it, relative to that."""
    return abs(float((gradient * exact).sum() / exact.square().sum()) - 1)


def _quarters(gradient: Tensor) -> list[Tensor]:
    """Those of a picture (1, 3, H, W)."""
    return [part for half in gradient.chunk(2, 2) for part in half.chunk(2, 3)]


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
