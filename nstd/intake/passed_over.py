"""What is passed over in the folders of recipes by mistake: one line for each folder and kind.

Quiet are hidden and temporary files, those of programs, and what a recipe or a sidecar leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nstd.errors import SidecarError, printable
from nstd.intake.contents import BAD_NAME, what_else
from nstd.intake.names import is_renamed, mistake, unsupported
from nstd.intake.scan import DEPTH
from nstd.logs.log import emit
from nstd.logs.throttle import Throttle
from nstd.queue.inbox_note import InboxNote
from nstd.system.nofollow import Folder


@dataclass
class _Kind:
    name: str
    reason: str
    count: int = 1


class PassedOver:
    """The files and folders that one look has passed over, by their folder and kind."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def add(self, name: str, kind: str, reason: str) -> None:
        """Remember a file; the first of a kind in its folder is named."""
        key = name.rpartition("/")[0], kind
        if key in self._kinds:
            self._kinds[key].count += 1
        else:
            self._kinds[key] = _Kind(name, reason)

    def add_leaf(self, folder: str, leaf: str, why: str) -> None:
        """The same for a file that is no content, with the reason; most of them are quiet."""
        name = f"{folder}/{leaf}"
        if kind := unsupported(leaf):
            self.add(name, kind, f"is {what_else(leaf)}")
        elif why.startswith(BAD_NAME):
            self.add(name, BAD_NAME, f"is passed over: {why}")
        elif is_renamed(leaf):
            self.add(name, "renamed", mistake(leaf))

    def add_odd(self, root: Folder, odd: list[str], deep: list[str]) -> None:
        """Links and other entries that are no files, and folders that are not read."""
        for name in odd:
            if what := what_it_is(root, name):
                self.add(name, "odd", f"is {what}: copy the picture itself there")
        for name in deep:
            reason = f"is not read: it lies more than {DEPTH} folders deep"
            self.add(name, "deep", reason)

    def notes(self) -> Iterator[InboxNote]:
        """A note for each kind."""
        for each in self._kinds.values():
            more = f" ({each.count - 1} more like it there)" if each.count > 1 else ""
            yield InboxNote(name=each.name, kind="mistake", message=f"{each.reason}{more}")

    def log(self, throttle: Throttle) -> None:
        """One line for each kind, when it is seen first."""
        for key, each in self._kinds.items():
            if throttle.is_new(key, each.reason):
                reason = printable(each.reason)
                emit("picture.passed_over", path=printable(each.name), reason=reason)


def what_it_is(root: Folder, name: str) -> str:
    """What an entry is that is no regular file; "" if it is one now, or has gone."""
    try:
        root.signature(name)
    except SidecarError as error:
        return error.message.removeprefix(f"'{printable(name)}' is ")
    except OSError:
        pass
    return ""
