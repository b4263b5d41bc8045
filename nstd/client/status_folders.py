"""The folders with a recipe in a status: what waits, is held, is done and has failed in each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from pathlib import Path, PurePosixPath

from nstd.client.status_entries import RecipeEntry
from nstd.queue.job import Job
from nstd.queue.recipe_state import RecipeState
from nstd.system.layout import FAILED, REASON


def describe_folders(
    states: Sequence[RecipeState],
    under_way: Iterable[Job],
    running: Container[str],
    published: Iterable[str],
    outbox: Path,
) -> tuple[RecipeEntry, ...]:
    """An entry for each folder; `published` are the paths of records and reasons.

    `running` are the ids of jobs that run: these are not held.

    A job counts for the nearest folder above it that has a recipe, also if it has a sidecar of its
    own.
    """
    if not states:
        return ()
    places = {_place(state.folder) for state in states}
    waiting, held = Counter[str](), Counter[str]()
    for job in under_way:
        counts = held if job.held and job.id not in running else waiting
        counts[_nearest(job.folder, places)] += 1
    done, failed = Counter[str](), Counter[str]()
    for path in published:
        place = os.path.relpath(os.path.dirname(os.path.dirname(path)), outbox)  # noqa: PTH120
        if path.endswith(f"/{REASON}"):
            failed[_nearest(place.removeprefix(FAILED).lstrip("/"), places)] += 1
        else:
            done[_nearest(place, places)] += 1
    return tuple(
        RecipeEntry(
            folder=state.folder,
            waiting=state.waiting + waiting[_place(state.folder)],
            held=state.held + held[_place(state.folder)],
            held_jobs=held[_place(state.folder)],
            done=done[_place(state.folder)],
            failed=failed[_place(state.folder)],
            error=state.error,
        )
        for state in states
    )


def _place(folder: str) -> str:
    """The folder of the outbox that mirrors one of the inbox."""
    from nstd.intake.plan import safe_name  # few roots have recipes, and this takes a while

    return "/".join(safe_name(part) for part in PurePosixPath(folder).parts)


def _nearest(place: str, places: set[str]) -> str:
    """The innermost of `places` that the place is, or lies in; empty if there is none."""
    while place and place not in places:
        place = place.rpartition("/")[0]
    return place
