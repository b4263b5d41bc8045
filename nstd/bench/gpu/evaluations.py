"""Steps about single evaluations: their seconds by precision, and the host's waits in them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nstd.backends.gatys import Options
from nstd.backends.gatys.lbfgs import LBFGS
from nstd.backends.gatys.precision import precision_for
from nstd.bench.gpu.finding import Finding, judged
from nstd.bench.gpu.parts import full_size, seconds_of, task_of
from nstd.bench.gpu.plan import GpuSetup


def precision(setup: GpuSetup) -> Finding:
    """Seconds of an evaluation in float32 and in bfloat16, both channels last."""
    figures, told = {}, []
    for network in setup.networks:
        for size in setup.sizes.evaluation:
            plain, half = (_seconds(setup, network, size, kind) for kind in ("float32", "bfloat16"))
            figures[f"{network} {size}"] = {"float32": plain, "bfloat16": half}
            told.append(
                f"{network} {size} px {1e3 * plain:.3g} ms in float32, {1e3 * half:.3g} in"
                f" bfloat16 ({plain / half:.2f} times as fast)"
            )
    used = precision_for(setup.device)
    return Finding("told", f"{'; '.join(told)}; jobs use {used}", {"used": used, **figures})


def _seconds(setup: GpuSetup, network: str, size: int, kind: str) -> float:
    options = Options(network=network, precision=kind)
    objective, picture = full_size(task_of(setup, options, size))
    return seconds_of(partial(objective, picture), setup.device, setup.sizes.repeats)


def syncs(setup: GpuSetup) -> Finding:
    """How often the host waits for the device in an evaluation: once, to read the loss.

    And in a step of the optimiser, which also reads lengths.
    """
    figures: dict[str, Any] = {}
    for network in setup.networks:
        options = Options(network=network)
        objective, picture = full_size(task_of(setup, options, setup.sizes.evaluation[0]))
        objective(picture)
        waits = _waits(partial(objective, picture), setup.device)
        iterate = LBFGS.start(picture, objective)
        stepping = _waits(partial(iterate.step, objective, 1), setup.device)
        figures[network] = {
            "evaluation": waits.total(),
            "step": stepping.total(),
            "places": dict(waits),
        }
    told = ", ".join(
        f"{network} {each['evaluation']} in an evaluation and {each['step']} in a step of L-BFGS"
        for network, each in figures.items()
    )
    is_good = all(each["evaluation"] <= 1 for each in figures.values())
    return judged(is_good, f"waits of the host: {told}", figures)


def _waits(act: Callable[[], object], device: str) -> Counter[str]:
    """The places in the code, or the operations, at which the host waits."""
    if device.startswith("cuda"):
        with _cuda_waits() as found:
            act()
        return found
    counter = _Readings()
    with counter:
        act()
    return counter.found


@contextmanager
def _cuda_waits() -> Iterator[Counter[str]]:
    """Counts torch's warnings of synchronising calls by the line that makes them."""
    found: Counter[str] = Counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")
            found.update(
                f"{each.filename}:{each.lineno}"
                for each in caught
                if "synchroniz" in str(each.message)
            )


class _Readings(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's has no types
    """Counts the operations that read a value on the host, where torch does not warn of them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and count it."""
        name = func.overloadpacket.__name__
        if name in {"_local_scalar_dense", "nonzero", "is_nonzero"}:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))
