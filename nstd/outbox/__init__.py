"""From a job that has ended to the outbox: its result or failure appears there by one rename.

Also records, contact sheets of batches and the gallery. It does not use intake or executors.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.outbox.outbox import Outbox
    from nstd.outbox.publisher import Publisher
    from nstd.outbox.results import list_published

__all__ = ["Outbox", "Publisher", "list_published"]

__getattr__ = hand_on(
    __name__, {"Outbox": "outbox", "Publisher": "publisher", "list_published": "results"}
)
