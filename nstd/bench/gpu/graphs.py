"""The step that compares CUDA graphs and torch.compile with plain execution."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nstd.backends.gatys import Options
from nstd.backends.gatys.network_cache import network_for
from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.tensors import to_tensor
from nstd.bench.gpu.finding import Finding
from nstd.bench.gpu.parts import seconds_of, task_of
from nstd.bench.gpu.plan import GpuSetup

Gradient = Callable[[Tensor], Tensor]


def graphs(setup: GpuSetup) -> Finding:
    """Seconds of the network's part of an evaluation: forward, Gram matrices, backward.

    That is nearly all of it, and reads nothing on the host, so that it can be captured. What cannot
    be captured or compiled says why. nstd uses neither: this tells whether it should.
    """
    figures: dict[str, Any] = {}
    told = []
    for network in setup.networks:
        task = task_of(setup, Options(network=network), setup.sizes.evaluation[0])
        picture = to_tensor(task.content, setup.device)
        plain = _gradient(network_for(task, None, {}), task.options.spec.style_layers)
        ways = {
            "eager": partial(_as_it_is, plain),
            "graph": partial(_captured, plain, picture),
            "compile": partial(_compiled, plain, setup.sizes.compiler),
        }
        figures[network] = found = {
            name: _measured(make, picture, setup) for name, make in ways.items()
        }
        told.append(f"{network}: " + ", ".join(f"{n} {_words(v)}" for n, v in found.items()))
    return Finding("told", "; ".join(told), figures)


def _words(value: float | str) -> str:
    return value if isinstance(value, str) else f"{1e3 * value:.3g} ms"


def _measured(make: Callable[[], Gradient], picture: Tensor, setup: GpuSetup) -> float | str:
    """The seconds of one way, or why it does not work."""
    try:
        way = make()
        return seconds_of(lambda: way(picture), setup.device, setup.sizes.repeats)
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        return f"does not work ({type(error).__name__}: {first[:80]})"


def _gradient(network: Network, layers: tuple[str, ...]) -> Gradient:
    """The gradient of the sum of the mean squares of Gram matrices."""

    def evaluate(picture: Tensor) -> Tensor:
        x = picture.detach().requires_grad_()
        loss = x.new_zeros(())
        for _, features in network.features(x, layers):
            flat = features[0].flatten(1).float()
            loss = loss + (flat @ flat.T / flat.shape[1]).square().mean()
        (gradient,) = torch.autograd.grad(loss, x)
        return gradient

    return evaluate


def _as_it_is(evaluate: Gradient) -> Gradient:
    return evaluate


def _compiled(evaluate: Gradient, compiler: str) -> Gradient:
    compiled: Gradient = torch.compile(evaluate, backend=compiler)
    return compiled


def _captured(evaluate: Gradient, picture: Tensor) -> Gradient:
    """`evaluate` as a CUDA graph; warmed up in a stream of its own, as torch asks for."""
    if not picture.is_cuda:
        raise ValueError("needs CUDA")
    given = picture.clone()
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            evaluate(given)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = evaluate(given)

    def replay(x: Tensor) -> Tensor:
        given.copy_(x)
        graph.replay()
        return made

    return replay
