"""The sections of the config: each setting with its default, its limits and its meaning.

The descriptions and defaults become the commented file that `nstd init` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nstd.documents.model import Format, Model
from nstd.system.units import Bytes, Seconds


def _folder(path: Path) -> Path:
    if not path.name:
        raise ValueError("expected the name of a folder")
    return path


def _countable(amount: float) -> float:
    """Refuse amounts finer than 0.0001, the step in which Ray counts resources."""
    if amount != round(amount, 4):
        raise ValueError("give at most four decimals")
    return amount


def _whole_beyond_one(amount: float) -> float:
    """Refuse amounts like 1.5: Ray can share a part of one GPU, but not give parts of several."""
    if amount > 1 and amount != int(amount):
        raise ValueError("give a fraction of 1, or a whole number")
    return amount


Folder = Annotated[Path, AfterValidator(_folder)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_countable)]
"""An amount of a resource of a node."""


class FolderSettings(Model):
    """Where things lie. Relative paths start at the folder of this file."""

    inbox: Folder = Field(Path("inbox"), description="People drop pictures and sidecars here.")
    styles: Folder = Field(
        Path("styles"), description="A library: sidecars may name the styles in it."
    )
    work: Folder = Field(Path("work"), description="Claimed jobs; only the daemon writes here.")
    outbox: Folder = Field(Path("outbox"), description="Results, failed jobs and logs.")
    networks: Folder = Field(
        Path("networks"), description="Weights of networks: see `nstd networks`."
    )


class WatchSettings(Model):
    """How the inbox is watched."""

    mode: Literal["auto", "events", "poll"] = Field(
        "auto",
        description="events: the kernel tells of changes; poll: the inbox is read again and again; "
        "auto: poll on network mounts, else events.",
    )
    settle: Seconds = Field(
        5.0, description="A file is complete when it has not changed for this long."
    )
    rescan: Seconds = Field(
        10.0,
        gt=0,
        description="With events, the inbox is still read this often, in case one is lost.",
    )
    poll: Seconds = Field(2.0, gt=0, description="Without events, the inbox is read this often.")
    orphan: Seconds = Field(
        86400.0, description="A sidecar fails when its pictures have not come within this time."
    )


class ExecutorSettings(Model):
    """Where jobs run. All but `kind` is about a Ray cluster: see `nstd help cluster`."""

    kind: Literal["local", "ray", "inline"] = Field(
        "local",
        description="local: in worker processes of this machine; ray: on the nodes of a Ray "
        "cluster, instead of `devices` and `slots`; inline: for tests.",
    )
    address: str = Field(
        "auto",
        min_length=1,
        description="The head of the cluster: HOST:PORT, or ray://HOST:PORT from a machine that is "
        "no node; auto: the head that the node on this machine belongs to.",
    )
    namespace: str = Field(
        "nstd", min_length=1, description="The namespace of the workers in the cluster."
    )
    jobs: int = Field(
        64, ge=1, le=10_000, description="The most jobs that run at once, on all nodes together."
    )
    num_gpus: Annotated[Amount, AfterValidator(_whole_beyond_one)] = Field(
        1.0, description="GPUs that each job asks for; may be a fraction, like 0.5."
    )
    num_cpus: Amount = Field(1.0, description="CPU cores that each job asks for.")
    memory: Bytes = Field(
        0,
        description="Memory that each job asks for; 0: none. Ray only counts it; whether a job "
        "fits is predicted on its node.",
    )
    resources: dict[str, Annotated[Amount, Field(gt=0)]] = Field(
        {}, description="Custom resources of Ray that each job asks for, like {nstd: 1}."
    )


class JobsSettings(Model):
    """Defaults of jobs, for what their sidecars do not say, and how attempts are repeated."""

    backend: str = Field("gatys", description="What makes the pictures: see `nstd backends`.")
    format: Format = Field("png", description="png, jpg, webp or tiff.")
    priority: int = Field(50, ge=0, le=100, description="From 0 to 100; the highest runs first.")
    timeout: Seconds = Field(7200.0, gt=0, description="The longest one attempt may take.")
    queue: int = Field(
        100,
        ge=1,
        description="The most claimed jobs that wait; further sidecars stay in the inbox.",
    )
    grid_max: int = Field(
        100, ge=1, le=500, description="The most jobs that one sidecar with lists may make."
    )
    attempts: int = Field(
        3, ge=1, le=100, description="How often a job is tried if its error may pass."
    )
    backoff: Seconds = Field(
        10.0, description="Wait before the second attempt; doubles with each one after it."
    )
    checkpoint: Seconds = Field(30.0, gt=0, description="A running job is saved this often.")
    pictures: Literal["keep", "archive", "delete"] = Field(
        "keep",
        description="What happens to pictures in the inbox when their job is done and no other "
        "sidecar waits for them: keep, delete, or archive, which moves them to outbox/archive.",
    )
    remember: Seconds = Field(
        90 * 86400.0,
        description="A picture in the folder of a recipe is made once; when it has been gone for "
        "this long, it is forgotten, and would be made again if it came back.",
    )


class LimitSettings(Model):
    """What is refused before it can do harm."""

    picture_pixels: int = Field(
        100_000_000, gt=0, description="Pictures with more pixels are refused before decoding."
    )
    picture_bytes: Bytes = Field(
        512 * 2**20, gt=0, description="Larger files are not read, but refused."
    )
    film_frames: int = Field(
        5000, ge=1, description="Films of which more frames would be painted are refused."
    )
    film_seconds: Seconds = Field(
        3600.0, gt=0, description="Films that are longer are refused, whatever is chosen of them."
    )
    film_pixels: int = Field(
        36_000_000, gt=0, description="Films with more pixels in a frame are refused."
    )
    film_bytes: Bytes = Field(
        4 * 2**30, gt=0, description="Films with more bytes are not read, but refused."
    )
    folder_first: int = Field(
        200,
        ge=1,
        description="The most jobs that are made of what lies in a folder when its recipe is seen "
        "first; the other pictures wait for `nstd release FOLDER/`.",
    )
    min_free: Bytes = Field(
        256 * 2**20, description="No job is taken in while a disk has less free space than this."
    )


class WorkerSettings(Model):
    """The worker processes."""

    recycle: int = Field(200, ge=1, description="A worker is replaced after this many jobs.")
    keep_warm: Seconds = Field(900.0, description="An idle worker ends after this long.")
    start: Seconds = Field(180.0, gt=0, description="The longest a worker may take to start.")
    stall: Seconds = Field(
        900.0, gt=0, description="A worker that reports no progress for this long is killed."
    )
    grace: Seconds = Field(
        20.0, description="A job that should stop, and does not, is killed after this long."
    )
    cache: Bytes = Field(
        256 * 2**20,
        description="The most that work/.cache may hold; 0: nothing is kept. It saves work for "
        "jobs with the same style, and may be deleted at any time. Each node of a Ray cluster "
        "keeps as much in ~/.cache/nstd-kept.",
    )
    failures: int = Field(
        3,
        ge=1,
        description="A device is closed after this many failures in a row, of several jobs. Where "
        "workers die, it may be the jobs: then three times as many jobs have to fail, and none "
        "count of a backend that has done well nowhere yet.",
    )
    cooldown: Seconds = Field(
        30.0,
        gt=0,
        description="A closed device is tried again after this; doubles up to 10 minutes.",
    )
    exit_when_all_down: bool = Field(
        False, description="End with an error when every device is closed, instead of waiting."
    )
