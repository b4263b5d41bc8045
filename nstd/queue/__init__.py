"""The jobs on disk, and which of them is next.

`store` and `control` touch the disk; `scheduler` and what it uses are pure: no clock, no disk, no
processes.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.queue.batch import Batch
    from nstd.queue.job import Job
    from nstd.queue.scheduler import Scheduler
    from nstd.queue.store import JobStore

__all__ = ["Batch", "Job", "JobStore", "Scheduler"]

__getattr__ = hand_on(
    __name__, {"Batch": "batch", "Job": "job", "JobStore": "store", "Scheduler": "scheduler"}
)
