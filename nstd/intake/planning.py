"""The plan of what is to be claimed now, or of the job that fails because it is refused."""

from __future__ import annotations

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.errors import NstdError, StoreError
from nstd.intake.films import kinds_of, with_films
from nstd.intake.plan import Plan, make_plan, plain_order
from nstd.intake.ready import Ready
from nstd.queue.job import Failure


def plan_ready(ready: Ready, config: Config, backends: Backends) -> tuple[Plan, Failure | None]:
    """The plan of its job or batch, or the plan of a job that fails, and why.

    Raises OSError when a content cannot be read, to see whether it is a film.
    """
    try:
        if ready.error is not None or ready.parsed is None:
            raise ready.error or StoreError("internal_error", "a sidecar that was not read")
        plan = make_plan(ready.name, ready.parsed, config, backends)
        usual = None if ready.recipe is None else config.jobs.format
        kinds = kinds_of(ready.parsed, ready.pictures)
        return with_films(plan, ready.parsed, kinds, usual), None
    except NstdError as error:
        return Plan(plain_order(ready.name, ready.parsed, config)), Failure.of(error)
