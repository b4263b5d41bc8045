"""The jobs on disk, and the decision which of them runs next.

Also the data that packages exchange which do not import each other: what a worker reports of a job
(`progress`, `result`), and the state of the daemon for the parts that show it (`daemon_state`,
`health`, `inbox_note`). `store` and `control` use the disk; `scheduler` and the modules that it
imports are pure: they use no clock, no disk and no processes.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import lazy_exports

if TYPE_CHECKING:
    from nstd.queue.batch import Batch as Batch
    from nstd.queue.job import Job as Job
    from nstd.queue.scheduler import Scheduler as Scheduler
    from nstd.queue.store import JobStore as JobStore

__getattr__ = lazy_exports(
    __name__, Batch="batch", Job="job", JobStore="store", Scheduler="scheduler"
)
