"""A convolutional network fitted to the pictures of one job: no download, no training set.

In each stage: 3x3 patches of all pictures, their principal components (PCANet: Chan et al., IEEE
TIP 2015), whitened (Coates, Ng, Lee, AISTATS 2011), rotated to independent components (FastICA:
Hyvarinen, Oja, Neural Networks 2000), both signs rectified. Between stages, pooling by two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from nstd.backends.gatys.layer_names import STAGES
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.pooling import pool
from nstd.backends.gatys.resizing import shrink
from nstd.backends.gatys.stage import Filter, Stage, chain, responses

WIDTHS = (16, 32, 64, 96, 128)  # components per stage; each makes two channels
SIDE = 256  # longest side, in pixels, of the pictures while fitting
PIXEL_MEAN, PIXEL_SPREAD = 0.45, 0.25  # of photographs, about
WHITEN_SHARE = 0.02  # share of the mean variance added to each: weak components are mostly noise
WHITEN_FLOOR = 1e-4  # for a constant picture, which has no variance
ICA_ROUNDS = 30
ICA_SAMPLE = 20_000  # patches in each round


class Fitted:
    """Stages of independent components of 3x3 patches, both signs rectified."""

    name = "fitted"
    source = None

    def __init__(
        self, filters: Sequence[Filter], pooling: str, dtype: torch.dtype | None = None
    ) -> None:
        """One filter for each stage; they compute in `dtype`, by default their own."""
        self._filters = list(filters)
        self._stages = [Stage(filter_, dtype) for filter_ in filters]
        self._pooling = pooling
        self.sha256 = sha256(tensor for filter_ in filters for tensor in filter_)

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Features of `picture` (1, 3, H, W), in [0, 1]: stage n has 2 WIDTHS[n - 1] channels."""
        dtype = self._stages[0].dtype
        x = normalised(picture).to(dtype=dtype, memory_format=torch.channels_last)
        yield from chain(x, dict(zip(STAGES, self._stages, strict=False)), layers, self._pooling)

    def turn(self, layer: str) -> None:
        """None: the features are already white on the pictures."""

    def state(self) -> dict[str, Any] | None:
        """The filters, so that a resumed job does not fit them again."""
        return {"filters": self._filters}


def load(request: NetworkRequest) -> Fitted:
    """Fit a network to the pictures of `request`, or take its filters from the checkpoint."""
    if request.saved is not None:
        filters = request.saved["filters"]
    else:
        filters = fit(request.pictures, request.pooling, request.seed)
    moved = [(weight.to(request.device), bias.to(request.device)) for weight, bias in filters]
    return Fitted(moved, request.pooling, getattr(torch, request.precision))


@torch.no_grad()
def fit(
    pictures: Sequence[Tensor], pooling: str, seed: int, side: int = SIDE, stages: int = len(STAGES)
) -> list[Filter]:
    """Filters of the first `stages` for `pictures`, each (1, 3, H, W) in [0, 1]; on the CPU.

    Pictures with a longer side than `side` pixels are made smaller first.
    """
    generator = Generator().manual_seed(seed)
    maps = [normalised(shrink(picture.cpu(), side)) for picture in pictures]
    filters: list[Filter] = []
    for number, width in enumerate(WIDTHS[:stages]):
        if number:
            maps = [pool(x, pooling) for x in maps]
        filters.append(fit_stage(maps, width, generator))
        stage = Stage(filters[-1])
        maps = [responses(x, stage) for x in maps]
    return filters


def fit_stage(maps: Sequence[Tensor], width: int, generator: Generator) -> Filter:
    """The filter with the independent components of the 3x3 patches of `maps`, each (1, C, H, W).

    The components have about unit variance.
    """
    channels = maps[0].shape[1]
    patches = torch.cat([patches_of(x) for x in maps], 1)
    mean = patches.mean(1, keepdim=True)
    patches -= mean
    components = whitening(patches, width)
    components = independent_turn(components @ patches, generator) @ components
    return components.reshape(-1, channels, 3, 3), -(components @ mean)[:, 0]


def patches_of(x: Tensor) -> Tensor:
    """All 3x3 patches of x (1, C, H, W), edges repeated, as the columns of (9 C, H W)."""
    columns: Tensor = functional.unfold(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3)
    return columns[0]


def whitening(centred: Tensor, count: int) -> Tensor:
    """A matrix (K, D) from `centred` data (D, N) to its K strongest components, with unit variance.

    K is the smaller of `count` and D. Weak components keep a smaller variance.
    """
    covariance = centred @ centred.T / centred.shape[1]
    # In float32 the decomposition may not converge for two plain pictures.
    values, vectors = torch.linalg.eigh(covariance.double())
    values = values.float().flip(0)[:count].clamp(min=0)
    vectors = vectors.float().flip(1)[:, :count]
    scales = torch.sqrt(values + WHITEN_SHARE * values.mean() + WHITEN_FLOOR)
    rows: Tensor = (vectors / scales).T
    return rows


def independent_turn(white: Tensor, generator: Generator) -> Tensor:
    """The rotation (K, K) that makes the components of `white` (K, N) independent.

    Symmetric FastICA with the contrast log cosh (Hyvarinen, Oja 2000, section 6), on a new
    sample in each round.
    """
    count, size = white.shape
    rows = white.T.contiguous()  # gathering whole rows is many times faster
    turn: Tensor = torch.linalg.qr(torch.randn(count, count, generator=generator))[0]
    for _ in range(ICA_ROUNDS):
        chosen = torch.randint(size, (min(ICA_SAMPLE, size),), generator=generator)
        sample = rows[chosen].T
        bent = torch.tanh(turn @ sample)
        slope = (1 - bent.square()).mean(1)
        left, _, right = torch.linalg.svd(bent @ sample.T / len(chosen) - slope[:, None] * turn)
        turn = left @ right
    return turn


def normalised(picture: Tensor) -> Tensor:
    """A picture in [0, 1], scaled to about zero mean and unit variance."""
    return (picture - PIXEL_MEAN) / PIXEL_SPREAD


def sha256(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of the values of `tensors`, in order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
