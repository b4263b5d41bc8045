"""The recipe of a result, to be copied from the gallery as a sidecar."""

from __future__ import annotations

from nstd.documents.sidecar_writer import dump
from nstd.errors import SidecarError
from nstd.outbox.gallery.untrusted import shown
from nstd.outbox.record import Reason, Record
from nstd.outbox.remaking import sidecar_values


def as_sidecar(record: Record | Reason) -> str:
    """The text of the sidecar, with every option that had an effect; "" where it is not valid."""
    values = sidecar_values(record, lambda given: shown(given.file), shown)
    try:
        return dump(values).decode() if values else ""
    except SidecarError:  # the record may have been changed by hand
        return ""
