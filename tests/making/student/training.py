"""The training: the share of the teacher's variance that the heads leave unexplained goes down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from making.student.memory import Memory
from making.student.model import HEADS, Student
from making.student.pictures import gathered, parts
from making.student.start import start
from making.student.teacher import Teacher
from making.textures import Pixels, textures

BATCH = 8
FRESH = 4  # new parts for every round of REPEATS batches
REPEATS = 2
ROOM = 4000
STARTERS = 256
TEXTURES = 180
CALIBRATION = 32
HELD_OUT = 16
SHARE = 0.45  # of textures
RATE, HEAD_RATE = 3e-3, 2.5e-3
WARM_UP = 60  # steps
DECAY = 0.5  # share of the time in which the rate falls to 0
AVERAGE = 0.995
WEIGHTS = {"relu3_1": 0.7, "relu4_1": 1.0, "relu4_2": 0.5, "relu5_1": 1.5}
MINUTES_BETWEEN = 4.0
SEED = 0


def train(
    wheel: Path, folders: Sequence[Path], minutes: float, out: Path, share: float = SHARE
) -> None:
    """Train for `minutes` and write the state to `out` every few minutes; goes on from `out`."""
    from nstd.backends.gatys.fixed import FILE, unpacked
    from importlib import resources

    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    prepared = out.parent / "pictures.npz"
    if not prepared.exists():
        prepare(folders, prepared)
    kept_out, pictures, drawn, others = loaded(prepared)
    print(f"{len(pictures)} pictures, {len(drawn)} textures", flush=True)
    teacher = Teacher(wheel)
    with (
        resources.files("nstd.backends.gatys").joinpath(FILE).open("rb") as file,
        np.load(file) as held,
    ):
        first = unpacked(
            {n: torch.from_numpy(a) for n, a in held.items() if n.startswith("stage1a")}, "stage1a"
        )
    student = Student(first)
    averaged = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    muon = torch.optim.Muon(
        student.weights.values(), lr=RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    rest = [p for n, p in student.named_parameters() if not n.startswith("weights")]
    adam = torch.optim.Adam(rest, lr=HEAD_RATE, betas=(0.9, 0.99))
    saved = torch.load(out, weights_only=True) if out.exists() else None
    spent, step = 0.0, 0
    if saved:
        student.load_state_dict(saved["student"])
        averaged.load_state_dict(saved["averaged"])
        muon.load_state_dict(saved["muon"])
        adam.load_state_dict(saved["adam"])
        spent, step = saved["spent"], saved["step"]
        rng = np.random.default_rng(SEED + step)
    source = parts(pictures, drawn, share, SEED + step)
    if saved is None:
        start(student, teacher, torch.stack([next(source) for _ in range(STARTERS)]), rng)
        averaged.module.load_state_dict(student.state_dict())
    first_parts = torch.stack([next(source) for _ in range(CALIBRATION)])
    answers = scaled(teacher, first_parts, None)
    scales = saved["scales"] if saved else {n: float(a.mean()) for n, a in answers.items()}
    answers = {n: a / scales[n] for n, a in answers.items()}
    if saved is None:
        for n in HEADS:
            student.heads[n].data /= scales[n]
            student.offsets[n].data /= scales[n]
        averaged.module.load_state_dict(student.state_dict())
    variances = (
        saved["variances"]
        if saved
        else {
            n: float((a - a.mean((0, 2, 3), keepdim=True)).square().mean())
            for n, a in answers.items()
        }
    )
    most = {n: 1.5 * float(a.max()) for n, a in answers.items()}
    print("scales", scales, "variances", variances, "most", most, flush=True)
    memory = Memory(out.parent / f"{out.stem}-memory", ROOM, most)
    memory.put(first_parts, answers, rng)
    tests = parts(kept_out, others, 0.5, 999)
    held_out = torch.stack([next(tests) for _ in range(HELD_OUT)])
    wanted = [scaled(teacher, b, scales) for b in held_out.split(8)]
    wanted = {n: torch.cat([w[n] for w in wanted]) for n in scales}
    print("held out", tested(averaged.module, held_out, wanted, variances), flush=True)
    if saved is None:
        save(out, student, averaged, muon, adam, 0.0, step, scales, variances)
    began, noted = time.time() - spent, time.time()
    smooth: dict[str, float] = {}
    waited = 0.0
    while (portion := (time.time() - began) / 60 / minutes) < 1:
        t = time.time()
        fresh = torch.stack([next(source) for _ in range(FRESH)])
        memory.put(fresh, scaled(teacher, fresh, scales), rng)
        waited += time.time() - t
        for _ in range(REPEATS):
            rate = min(1.0, (step + 1) / WARM_UP, (1 - portion) / DECAY)
            for optimiser, base in ((muon, RATE), (adam, HEAD_RATE)):
                optimiser.param_groups[0]["lr"] = base * max(rate, 0.002)
            found = losses(student, *memory.some(BATCH, rng), variances)
            loss = sum(WEIGHTS[n] * v for n, v in found.items())
            student.zero_grad()
            loss.backward()
            muon.step()
            adam.step()
            averaged.update_parameters(student)
            for n, v in found.items():
                smooth[n] = 0.97 * smooth.get(n, float(v.detach())) + 0.03 * float(v.detach())
            step += 1
        if step % 50 < REPEATS:
            told = " ".join(f"{n} {v:.3f}" for n, v in smooth.items())
            print(
                f"{(time.time() - began) / 60:.1f} min step {step} {told} teacher {waited / (time.time() - began + spent + 1e-9):.2f}",
                flush=True,
            )
        if time.time() - noted > MINUTES_BETWEEN * 60:
            noted = time.time()
            save(out, student, averaged, muon, adam, time.time() - began, step, scales, variances)
            print("held out", tested(averaged.module, held_out, wanted, variances), flush=True)
    save(out, student, averaged, muon, adam, time.time() - began, step, scales, variances)
    print("held out", tested(averaged.module, held_out, wanted, variances), flush=True)


def prepare(folders: Sequence[Path], path: Path) -> None:
    """Write the pictures and the textures of a training to `path`; decoding them takes a while."""
    found = gathered(folders)
    print(f"{len(found)} pictures", flush=True)
    kept_out, pictures = found[5::11], [p for n, p in enumerate(found) if n % 11 != 5]
    sets = (kept_out, pictures, textures(pictures, TEXTURES, 1), textures(kept_out, 24, 2))
    np.savez(
        path,
        allow_pickle=False,
        **{f"{n} {i}": p for n, s in enumerate(sets) for i, p in enumerate(s)},
    )


def loaded(path: Path) -> tuple[list[Pixels], ...]:
    """Pictures kept out, pictures, textures of them, and textures of those kept out."""
    sets: tuple[list[Pixels], ...] = ([], [], [], [])
    with np.load(path) as held:
        for key, pixels in held.items():
            sets[int(key[0])].append(pixels)
    return sets


def scaled(teacher: Teacher, shown: Tensor, scales: dict[str, float] | None) -> dict[str, Tensor]:
    answers = {n: a.relu() for n, a in teacher(shown, HEADS).items()}
    return answers if scales is None else {n: a / scales[n] for n, a in answers.items()}


def losses(
    student: Student,
    shown: Tensor,
    phases: np.ndarray,
    answers: dict[str, Tensor],
    variances: dict[str, float],
) -> dict[str, Tensor]:
    """The unexplained share of each target's variance."""
    with torch.autocast("cpu", torch.bfloat16):
        seen = student.features(shown)
        found = {}
        for target, answer in answers.items():
            x = seen[HEADS[target]]
            if target == "relu3_1":
                x = torch.stack([x[i, :, a::2, b::2] for i, (a, b) in enumerate(phases)])
                x = x.contiguous(memory_format=torch.channels_last)
            told = student.told(target, x).float()
            found[target] = (told - answer).square().mean() / variances[target]
    return found


@torch.no_grad()
def tested(
    student: Student, shown: Tensor, wanted: dict[str, Tensor], variances: dict[str, float]
) -> dict[str, str]:
    """By target: the unexplained share, and the relative distance of Gram matrices."""
    total: dict[str, list[tuple[float, float]]] = {n: [] for n in wanted}
    for number in range(len(shown)):
        with torch.autocast("cpu", torch.bfloat16):
            seen = student.features(shown[number : number + 1])
            for target, answers in wanted.items():
                told = student.told(target, seen[HEADS[target]]).float()
                answer = answers[number : number + 1]
                gap = float((told - answer).square().mean()) / variances[target]
                a, b = (x[0].flatten(1) @ x[0].flatten(1).T for x in (told, answer))
                total[target].append(
                    (gap, float((a.float() - b.float()).square().sum() / b.float().square().sum()))
                )
    return {n: " ".join(f"{v:.3f}" for v in np.mean(t, 0)) for n, t in total.items()}


def save(
    out: Path,
    student: Student,
    averaged: AveragedModel,
    muon: Any,
    adam: Any,
    spent: float,
    step: int,
    scales: Any,
    variances: Any,
) -> None:
    state = {
        "student": student.state_dict(),
        "averaged": averaged.state_dict(),
        "muon": muon.state_dict(),
        "adam": adam.state_dict(),
        "spent": spent,
        "step": step,
        "scales": scales,
        "variances": variances,
    }
    part = out.with_suffix(".part")
    torch.save(state, part)
    part.rename(out)
