"""One contestant in a separate process, which reads requests from its standard input.

Run as `python -m nstd.bench.speed.contestant NAME SETUP`; SETUP is JSON. Each line of input is
`{"do": METHOD, ...}`; each line of output is the JSON of the method's result. With separate
processes, the peak of memory can be measured for each, and two of them can take turns.
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


class PlainContestant:
    """The plain loop, which also judges pictures by its loss."""

    def __init__(self, setup: Setup) -> None:
        # Only this contestant loads torchvision (160 MB).
        from nstd.bench.speed.plain import PlainOptimiser

        content, style = (to_tensor(pixels, "cpu") for pixels in pictures(setup.size))
        self._plain = PlainOptimiser(Path(setup.weights), content, style)
        self._losses: list[float] = []

    def evaluate(self, count: int) -> list[float]:
        """Seconds of each of the next `count` evaluations, with their steps."""
        return list(_timed(lambda: self._losses.append(self._plain.step()), count))

    def losses(self) -> list[float]:
        """The loss that each evaluation has found so far."""
        return self._losses

    @torch.no_grad()
    def judge(self, path: str) -> float:
        """The loss of the picture in a file."""
        return float(self._plain.loss(to_tensor(np.load(path), "cpu")).item())


class Ceiling:
    """Not a contestant, but the best possible speed of the machine."""

    def __init__(self, setup: Setup) -> None:
        pass

    def measure(self) -> dict[str, float]:
        """GFLOP/s by precision."""
        kinds = {"fp32_gflops": torch.float32, "bf16_gflops": torch.bfloat16}
        return {name: ceiling.gflops(dtype) for name, dtype in kinds.items()}

    def bandwidth(self) -> float:
        """Bytes a second of the memory."""
        return ceiling.bandwidth()


def main() -> None:
    """Answer requests until the input ends."""
    from nstd.bench.speed.ours import Engine

    made: dict[str, Callable[[Setup], Any]] = {
        "plain": PlainContestant,
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
