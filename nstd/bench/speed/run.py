"""The whole measurement. Contestants take turns, so that other load affects both."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from nstd.backends.weights import find
from nstd.backends.weights_registry import RETRAINED
from nstd.bench.speed.batch import batch, scaling
from nstd.bench.speed.setup import Setup
from nstd.documents.config import Config
from nstd.errors import BenchError, WeightsError
from nstd.executors.devices import environment
from nstd.queue.slots import Slot
from nstd.system.cpus import Cpus

ShowStep = Callable[[str], None]


@dataclass(frozen=True)
class SpeedPlan:
    """The size of the measurement.

    In a race at `race_size` pixels, the engine has `race_steps` steps to reach the plain loop's
    loss after `race_evaluations`; `batch` is the number of jobs for the daemon.
    """

    size: int = 512
    turns: int = 3
    race_size: int = 128
    race_evaluations: int = 500
    race_steps: int = 400
    batch: int = 10


SHORT = SpeedPlan()
FULL = SpeedPlan(turns=8, race_size=512, race_evaluations=500, race_steps=800, batch=20)
NEARLY = 1.02
"""A race goes to this factor times the least loss of the plain loop."""
WHOLE = 500  # evaluations of the plain loop for a picture


class Contestant:
    """Starts a process of `contestant` and sends it requests."""

    def __init__(self, name: str, setup: Setup) -> None:
        command = [sys.executable, "-m", "nstd.bench.speed.contestant", name]
        slot = Slot("cpu", 0)
        as_worker = environment(slot, [slot], Cpus.alike(setup.threads)) if name == "ours" else {}
        self._process = subprocess.Popen(
            [*command, json.dumps(asdict(setup))],
            env=os.environ | as_worker,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._name = name

    def ask(self, do: str, **given: Any) -> Any:
        """The answer. Raises BenchError when the process ends instead."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"do": do, **given}) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            raise BenchError(
                "bench_failed", f"the contestant `{self._name}` ended early", "see its words above"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def measure(plan: SpeedPlan, config: Config, threads: int, show_step: ShowStep) -> dict[str, Any]:
    """All figures, by contestant; `show_step` is called with the next step."""
    with tempfile.TemporaryDirectory() as folder:
        weights, kind = vgg_weights(config.folder("networks"), Path(folder), show_step)
        setup = Setup(plan.size, str(weights), threads)
        show_step("the ceiling of the machine")
        with Contestant("ceiling", setup) as probe:
            ceiling = probe.ask("measure")
        evaluations = _evaluations(plan, setup, show_step)
        race = _race(plan, setup, Path(folder), show_step)
        pictures = _pictures(setup, show_step)
        with Contestant("ours", setup) as ours:
            machine = {"threads": threads, "weights": kind, "size": plan.size} | ours.ask("about")
        show_step("a batch through the daemon")
        through = batch(config, plan.batch, Path(folder))
        if threads > 1:
            show_step(f"the same over one slot and over {threads}, of one thread each")
            through["scaling"] = scaling(config, plan.batch, threads, Path(folder))
    return {
        "machine": machine,
        "ceiling": ceiling,
        "evaluations": evaluations,
        "race": race,
        "pictures": pictures,
        "daemon": through,
    }


def vgg_weights(networks: Path, folder: Path, show_step: ShowStep) -> tuple[Path, str]:
    """A file of VGG-19 in the form of torchvision's, as the plain loop needs it.

    It has the original weights if they are installed, else those that torchvision trained anew,
    else random ones. It is written to `folder` unless it is torchvision's.
    """
    try:
        original = [str(find("vgg19", networks).path)]
    except WeightsError:
        try:
            return find(RETRAINED, networks).path, "torchvision"
        except WeightsError:
            show_step("VGG-19 is not installed: random weights stand in for it")
            original = []
    path = folder / "stand-in"
    path.mkdir()
    command = [sys.executable, "-m", "nstd.bench.speed.stand_in", str(path), *original]
    subprocess.run(command, check=True)
    return next(path.glob("*.pth")), "original" if original else "random"


def _evaluations(plan: SpeedPlan, setup: Setup, show_step: ShowStep) -> dict[str, Any]:
    """Seconds of an evaluation at the full size, and the peak of memory, in turns."""
    found: dict[str, list[float]] = {"plain": [], "ours": []}
    with Contestant("plain", setup) as plain, Contestant("ours", setup) as ours:
        both = {"plain": plain, "ours": ours}
        for contestant in both.values():
            contestant.ask("evaluate", count=1)
        for turn in range(plan.turns):
            for name, contestant in both.items():
                show_step(f"evaluations of VGG-19 at {setup.size} px: {name}, turn {turn + 1}")
                found[name] += contestant.ask("evaluate", count=2)
        return {
            name: {
                "seconds": statistics.median(found[name]),
                "peak_memory": contestant.ask("peak"),
            }
            for name, contestant in both.items()
        }


def _race(plan: SpeedPlan, setup: Setup, folder: Path, show_step: ShowStep) -> dict[str, Any]:
    """Run the plain loop, then the engine until the plain loop measures the same loss for it.

    That loss is a little above the least one: the end of a descent is flat, and two optimisers
    need not end in the same valley.
    """
    setup = replace(setup, size=plan.race_size)
    seconds: list[float] = []
    with Contestant("plain", setup) as plain, Contestant("ours", setup) as ours:
        ours.ask("picture", network="fixed", preset="draft")  # warm-up
        while len(seconds) < plan.race_evaluations:
            seconds += plain.ask("evaluate", count=min(10, plan.race_evaluations - len(seconds)))
            done = f"{len(seconds)} of {plan.race_evaluations}"
            show_step(f"the race at {setup.size} px: plain, {done}")
        losses = plain.ask("losses")
        aim = NEARLY * min(losses)
        reached = next(number for number, loss in enumerate(losses, 1) if loss <= aim)
        show_step(f"the race at {setup.size} px: ours, to a loss of {aim:.4g}")
        met = ours.ask("race", aim=aim, steps=plan.race_steps, folder=str(folder))
        first = next((one for one in met if plain.ask("judge", path=one["picture"]) <= aim), None)
    until = {"evaluations": reached, "seconds": sum(seconds[:reached])}
    found = {"size": setup.size, "loss": aim, **until, "of": len(seconds)}
    if first is None:
        return {"plain": found, "ours": None}
    return {"plain": found, "ours": {key: first[key] for key in ("evaluations", "seconds")}}


def _pictures(setup: Setup, show_step: ShowStep) -> dict[str, float]:
    """Seconds of a picture of each embedded network."""
    found = {}
    for network in ("student", "fixed", "fitted"):
        show_step(f"a picture of {setup.size} px: {network}")
        with Contestant("ours", setup) as ours:
            found[network] = ours.ask("picture", network=network, preset="normal")
    return found
