"""Expiry: what is older than the config says goes from the outbox, or is moved elsewhere.

A unit (a result, a failure, a whole batch, or an archived picture) goes by one rename into
`outbox/.expired`, so that it is whole in the one place or in the other whenever the process dies;
the next sweep finishes what it finds there. All paths are those that were found below the outbox,
and never those that a record names.
"""

from nstd.outbox.expiry.due import DueUnit, find_due
from nstd.outbox.expiry.sweep import sweep

__all__ = ["DueUnit", "find_due", "sweep"]
