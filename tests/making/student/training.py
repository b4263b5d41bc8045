"""The training: what the student leaves unexplained of the teacher's features goes down.

The loss of a layer is the share of the variance of the teacher's features that the head leaves
unexplained, plus `GRAM` times the same share for Gram matrices, each part of a batch against the
others: distances between Gram matrices are what the student is for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from making.student.memory import Memory
from making.student.model import HEADS, Student
from making.student.pictures import Sets, parts
from making.student.start import start
from making.student.teacher import Teacher
from nstd.backends.gatys.fixed import FILE, unpacked
from nstd.backends.gatys.networks import FIXED

BATCH = 8
FRESH = 4  # parts that are new in every round of REPEATS batches
REPEATS = 2
ROOM = 4000  # parts in memory
STARTERS = 640  # parts that the first filters are found on
CHECKS = 64  # further ones, of pictures that are kept out, that decide how they are damped
CALIBRATION = 64
HELD_OUT = 24
SHARE = 0.45  # of textures among the parts
RATE, HEAD_RATE = 1e-3, 1e-3
WARM_UP = 60  # steps
DECAY = 0.5  # share of the time in which the rate falls to 0
AVERAGE = 0.995
WEIGHTS = {"relu3_1": 0.7, "relu4_1": 1.0, "relu4_2": 0.5, "relu5_1": 1.5}
GRAM = 0.5
LARGEST = 2.0  # norm of a gradient
MINUTES_BETWEEN = 4.0  # checkpoints
SEED = 0

Answers = Mapping[str, Tensor]


class Training:
    """The student with its optimisers; all of it is in `state`."""

    def __init__(self, out: Path, teacher: Teacher) -> None:
        self.out = out
        self.teacher = teacher
        torch.manual_seed(SEED)
        self.student = Student(first_filter())
        self.averaged = AveragedModel(self.student, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
        filters = self.student.weights.values()
        rest = [p for n, p in self.student.named_parameters() if not n.startswith("weights")]
        self.optimisers = (
            torch.optim.Muon(
                filters, lr=RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.Adam(rest, lr=HEAD_RATE, betas=(0.9, 0.99)),
        )
        self.spent = 0.0  # seconds
        self.step = 0
        self.scales: dict[str, float] = {}  # mean activation of the teacher's layers
        self.variances: dict[str, float] = {}  # of the scaled ones
        self.most: dict[str, float] = {}

    def begin(self, shown: Sequence[Tensor], kept_out: Sequence[Tensor]) -> None:
        """The first filters, by regression, and the scales of the teacher's layers."""
        rng = np.random.default_rng(SEED)
        both = torch.stack([*shown, *kept_out])
        start(self.student, self.teacher, both, len(kept_out), rng)
        answers = {
            n: torch.cat([self.teacher(x[None], HEADS)[n].relu() for x in shown[:CALIBRATION]])
            for n in HEADS
        }
        for name, answer in answers.items():
            self.scales[name] = scale = float(answer.mean())
            self.student.heads[name].data /= scale
            self.student.offsets[name].data /= scale
            centred = answer - answer.mean((0, 2, 3), keepdim=True)
            self.variances[name] = float(centred.square().mean()) / scale**2
            self.most[name] = 1.5 * float(answer.max()) / scale
        self.averaged.module.load_state_dict(self.student.state_dict())

    def ask(self, shown: Tensor) -> dict[str, Tensor]:
        """The teacher's features, each layer divided by its scale."""
        return {n: a.relu_() / self.scales[n] for n, a in self.teacher(shown, HEADS).items()}

    def learn(self, shown: Tensor, phases: np.ndarray, answers: Answers, rate: float) -> Tensor:
        """One step of the descent; the losses, two for each layer."""
        for optimiser, base in zip(self.optimisers, (RATE, HEAD_RATE), strict=True):
            optimiser.param_groups[0]["lr"] = base * rate
        found = losses(self.student, shown, phases, answers, self.variances)
        loss = sum(WEIGHTS[n] * (v[0] + GRAM * v[1]) for n, v in found.items())
        self.student.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), LARGEST)
        for optimiser in self.optimisers:
            optimiser.step()
        self.averaged.update_parameters(self.student)
        self.step += 1
        return torch.stack([torch.stack(v).detach() for v in found.values()])

    def save(self) -> None:
        """Write the state to `out`, whole or not at all."""
        held = {
            "student": self.student.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [each.state_dict() for each in self.optimisers],
            **{name: getattr(self, name) for name in FACTS},
        }
        part = self.out.with_suffix(".part")
        torch.save(held, part)
        part.rename(self.out)

    def resume(self) -> None:
        """Go on from `out`."""
        held = torch.load(self.out, weights_only=True)
        self.student.load_state_dict(held["student"])
        self.averaged.load_state_dict(held["averaged"])
        for optimiser, state in zip(self.optimisers, held["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        for name in FACTS:
            setattr(self, name, held[name])


FACTS = ("spent", "step", "scales", "variances", "most")


def first_filter() -> Any:
    """The first stage of `fixed`, which the student reads."""
    layer = FIXED["a"][0]
    with resources.files("nstd.backends.gatys").joinpath(FILE).open("rb") as file:
        held = np.load(file)
        arrays = {n: torch.from_numpy(held[n]) for n in held if n.startswith(layer)}
    return unpacked(arrays, layer)


def train(wheel: Path, sets: Sets, minutes: float, out: Path) -> None:
    """Train for `minutes` in all and write the state to `out` every few minutes; goes on from
    `out`."""
    run = Training(out, Teacher(wheel))
    fresh = out.exists()
    if fresh:
        run.resume()
    source = parts(sets.pictures, sets.drawn, SHARE, SEED + run.step)
    others = parts(sets.kept_out, sets.kept_out_drawn, 0.5, 999)
    if not fresh:
        run.begin(*(list(islice(s, n)) for s, n in ((source, STARTERS), (others, CHECKS))))
        run.save()
    held_out = torch.stack([next(others) for _ in range(HELD_OUT)])
    wanted = [run.ask(b) for b in held_out.split(BATCH)]
    told = Report(held_out, {n: torch.cat([w[n] for w in wanted]) for n in HEADS})
    told(run)
    descend(run, source, minutes, told)
    run.save()
    told(run)


def descend(run: Training, source: Iterator[Tensor], minutes: float, told: Report) -> None:
    """Steps until the time is over."""
    rng = np.random.default_rng(SEED + run.step)
    memory = Memory(run.out.parent / f"{run.out.stem}-memory", ROOM, run.most)
    began, noted, smooth = time.time() - run.spent, time.time(), None
    while (portion := (time.time() - began) / 60 / minutes) < 1:
        count = FRESH if memory.count >= 2 * BATCH else 2 * BATCH
        shown = torch.stack([next(source) for _ in range(count)])
        memory.put(shown, run.ask(shown), rng)
        for _ in range(REPEATS):
            rate = max(min(1.0, (run.step + 1) / WARM_UP, (1 - portion) / DECAY), 0.002)
            found = run.learn(*memory.some(BATCH, rng), rate)
            smooth = found if smooth is None else 0.97 * smooth + 0.03 * found
        run.spent = time.time() - began
        if run.step % 50 < REPEATS and smooth is not None:
            each = " ".join(f"{n} {a:.3f} {b:.3f}" for n, (a, b) in zip(HEADS, smooth, strict=True))
            print(f"{run.spent / 60:.1f} min, step {run.step}: {each}", flush=True)
        if time.time() - noted > MINUTES_BETWEEN * 60:
            noted = time.time()
            run.save()
            told(run)


def losses(
    student: Student,
    shown: Tensor,
    phases: np.ndarray,
    answers: Answers,
    variances: Mapping[str, float],
) -> dict[str, tuple[Tensor, Tensor]]:
    """By layer the unexplained shares of the variance of features and of Gram matrices.

    Of relu3_1 the answers are every second row and column, from `phases` on.
    """
    found = {}
    with torch.autocast("cpu", torch.bfloat16):
        seen = student.features(shown)
        for target, answer in answers.items():
            x = seen[HEADS[target]]
            if target == "relu3_1":
                x = torch.stack([x[i, :, a::2, b::2] for i, (a, b) in enumerate(phases)])
                x = x.contiguous(memory_format=torch.channels_last)
            told = student.told(target, x)
            error = (told.float() - answer).square().mean() / variances[target]
            found[target] = (error, gram_error(told, answer))
    return found


def gram_error(told: Tensor, answer: Tensor) -> Tensor:
    """Of the differences between the Gram matrices of the parts of a batch, the share that is
    unexplained."""
    one, other = (gram(x.bfloat16()).float() for x in (told, answer))
    one, other = (x - x.mean(0) for x in (one, other))
    return (one - other).square().sum() / other.square().sum()


def gram(x: Tensor) -> Tensor:
    """(N, C, C), as means over positions."""
    flat = x.flatten(2)
    return flat @ flat.mT / flat.shape[2]


class Report:
    """Prints the losses for pictures that are not trained on, with the averaged filters."""

    def __init__(self, shown: Tensor, answers: Answers) -> None:
        self._shown = shown
        self._answers = answers

    @torch.no_grad()
    def __call__(self, run: Training) -> None:
        """By layer, of features and of Gram matrices."""
        phases = np.zeros((len(self._shown), 2), int)
        answers = dict(self._answers)
        answers["relu3_1"] = answers["relu3_1"][:, :, ::2, ::2]
        found = losses(run.averaged.module, self._shown, phases, answers, run.variances)
        each = " ".join(f"{n} {a:.3f} {b:.3f}" for n, (a, b) in found.items())
        print(f"held out, {run.spent / 60:.1f} min, step {run.step}: {each}", flush=True)
