"""The state of a folder with a recipe, for `nstd status` and the gallery."""

from __future__ import annotations

from nstd.documents.model import StoredModel, Text
from nstd.queue.inbox_note import ShownName


class RecipeState(StoredModel):
    """How many pictures of a folder wait and are held; `error`: why its recipe is wrong."""

    folder: ShownName  # relative to the inbox
    waiting: int = 0
    held: int = 0
    error: Text = ""
