"""One contestant in a process of its own, which answers questions on its standard input.

Run as `python -m nstd.bench.speed.contestant NAME SETUP`; SETUP is JSON. Each line asked is
`{"do": METHOD, ...}`, each line answered the JSON of what the method returns. A process of its own
makes the peak of its memory its own, and two of them can take turns.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from nstd.backends.gatys.tensors import to_tensor
from nstd.bench.speed import ceiling
from nstd.bench.speed.pair import pictures
from nstd.bench.speed.setup import Setup
from nstd.system import proc


class PlainOptimiser:
    """The plain loop, and the judge of pictures by its loss."""

    def __init__(self, setup: Setup) -> None:
        from nstd.bench.speed.plain import (
            PlainOptimiser,  # torchvision's 160 MB are this contestant's own
        )

        content, style = (to_tensor(pixels, "cpu") for pixels in pictures(setup.size))
        self._plain = PlainOptimiser(Path(setup.weights), content, style)

    def evaluate(self, count: int) -> list[float]:
        """Seconds of each of the next `count` evaluations, with their steps."""
        return list(_timed(self._plain.step, count))

    def loss(self) -> float:
        """That of the picture as it is now."""
        return float(self._plain.loss(self._plain.picture).item())

    @torch.no_grad()
    def judge(self, path: str) -> float:
        """The loss of the picture in a file."""
        return float(self._plain.loss(to_tensor(np.load(path), "cpu")).item())


class Ceiling:
    """No contestant: what the machine could do."""

    def __init__(self, setup: Setup) -> None:
        pass

    def measure(self) -> dict[str, float]:
        """GFLOP/s by precision."""
        kinds = {"fp32_gflops": torch.float32, "bf16_gflops": torch.bfloat16}
        return {name: ceiling.gflops(dtype) for name, dtype in kinds.items()}


def main() -> None:
    """Answer until the input ends."""
    from nstd.bench.speed.ours import Engine

    made: dict[str, Callable[[Setup], Any]] = {
        "plain": PlainOptimiser,
        "ours": Engine,
        "ceiling": Ceiling,
    }
    setup = Setup(**json.loads(sys.argv[2]))
    torch.set_num_threads(setup.threads)
    contestant = made[sys.argv[1]](setup)
    for line in sys.stdin:
        asked = json.loads(line)
        method = asked.pop("do")
        answer = proc.peak() if method == "peak" else getattr(contestant, method)(**asked)
        print(json.dumps(answer), flush=True)  # noqa: T201


def _timed(act: Callable[[], object], count: int) -> Iterator[float]:
    for _ in range(count):
        began = perf_counter()
        act()
        yield perf_counter() - began


if __name__ == "__main__":
    main()
