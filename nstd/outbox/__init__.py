"""From a job that has ended to the outbox: its result or failure appears there by one rename.

Also records, contact sheets of batches and the gallery. It does not use intake or executors.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import lazy_exports

if TYPE_CHECKING:
    from nstd.outbox.outbox import Outbox as Outbox
    from nstd.outbox.publisher import Publisher as Publisher
    from nstd.outbox.results import list_published as list_published

__getattr__ = lazy_exports(
    __name__, Outbox="outbox", Publisher="publisher", list_published="results"
)
