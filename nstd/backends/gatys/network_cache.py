"""The network of a job: kept from the last job if it is the same, else loaded or fitted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from nstd.backend import Task
from nstd.backends.gatys import colors, networks
from nstd.backends.gatys.network_protocol import Network, NetworkRequest
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.precision import precision_for
from nstd.backends.gatys.tensors import to_tensor

SEEN = 8  # the most contents of a series that a network is fitted to

Warm = dict[Any, Network]


def network_for(task: Task, saved: Mapping[str, Any] | None, warm: Warm) -> Network:
    """The network of `task`; `warm` has the last network, and then this one.

    `saved` is the state of the network in a checkpoint.
    """
    options: Options = task.options
    style_layers, content_layers = options.layers
    request = NetworkRequest(
        name=options.network,
        pictures=() if options.spec.warm else pictures_to_fit(task),
        layers=tuple(sorted({*style_layers, *content_layers})),
        pooling=options.pooling_used,
        seed=options.seed,
        device=task.device,
        precision=precision_for(task.device, options.precision),
        weights=task.weights,
        saved=saved,
    )
    key: tuple[Any, ...] = (request.name, request.layers, request.pooling, request.device)
    key += (request.precision,)
    key += (request.weights,) if options.spec.warm else (request.seed, _digest(request.pictures))
    if key not in warm:
        warm.clear()  # only one: two may not fit on the device
        warm[key] = networks.load(request)
    return warm[key]


def pictures_to_fit(task: Task) -> list[Tensor]:
    """The pictures (1, 3, H, W) that a network of `task` is fitted to.

    These are the content and the styles, in the colours of the transfer. In a series they are the
    same for each job: contents spread over the series, and as many styles, for balance; a style may
    be used more than once, and in its own colours.
    """
    if not task.series:
        task = colors.before(task)
        contents, styles = [task.content], [style.pixels for style in task.styles]
    else:
        step = math.ceil(len(task.series) / SEEN)
        task = colors.common(replace(task, series=task.series[::step]))
        contents, styles = list(task.series), [style.pixels for style in task.styles]
        styles *= math.ceil(len(contents) / len(styles))
    return [to_tensor(pixels, task.device) for pixels in (*contents, *styles)]


def _digest(pictures: Sequence[Tensor]) -> str:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{tuple(picture.shape)}".encode())
        digest.update(np.ascontiguousarray(picture.cpu().numpy()).data)
    return digest.hexdigest()
