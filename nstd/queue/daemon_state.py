"""The state of the daemon, for the parts that show it: health file, metrics and gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nstd.queue.inbox_note import InboxNote
from nstd.queue.recipe_state import RecipeState


@dataclass
class DaemonState:
    """The state of the daemon; the pipeline updates it at each turn."""

    phase: str = "running"  # or "stopping", "stopped"
    paused: str = ""  # why nothing is claimed
    inbox: int = 0  # sidecars that wait in the inbox
    held_in_inbox: int = 0  # of these, how many are held
    has_input: bool = True  # whether something in the inbox may still become a job by itself
    inbox_lost: bool = False  # whether the inbox cannot be read
    unavailable: dict[str, str] = field(default_factory=dict)  # backends, and why
    notes: Sequence[InboxNote] = ()  # about files in the inbox that will not become jobs
    recipes: Sequence[RecipeState] = ()  # the folders with a recipe
