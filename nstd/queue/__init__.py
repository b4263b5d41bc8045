"""The jobs on disk, and the decision which of them runs next.

`store` and `control` use the disk; `scheduler` and the modules that it imports are pure: they use
no clock, no disk and no processes.
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
