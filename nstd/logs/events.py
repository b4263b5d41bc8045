"""The events of the structured log: every line is one of these, with these fields.

A test compares the manual's table with this one. Fields in brackets may be absent. Every line
also has `timestamp` (UTC, ISO 8601) and `level`; every line about a job has `job`, its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Event(NamedTuple):
    """One kind of log line."""

    level: str
    fields: str
    meaning: str
    serious: str = ""  # a line that has this field is a warning

    def level_of(self, fields: Mapping[str, object]) -> str:
        """The level of a line that has these fields. What a person asked for is no error."""
        if fields.get("code") == "cancelled":
            return "info"
        return "warning" if self.serious and self.serious in fields else self.level

    @property
    def required(self) -> set[str]:
        """The fields that every such line must have."""
        return {field for field in self.fields.split() if not field.startswith("[")}

    @property
    def order(self) -> list[str]:
        """The fields that such a line may have, in their order."""
        return [field.strip("[]") for field in self.fields.split()]

    @property
    def allowed(self) -> set[str]:
        """The fields that such a line may have."""
        return set(self.order)


LEVELS = ("debug", "info", "warning", "error")
"""From the least to the most serious."""
HEAD = ("timestamp", "level", "event")
"""The first fields of every line."""
CONTEXT = {"job", "batch", "slot", "device"}
"""Fields that may be bound for all events in a context; an event uses those that it has."""

TERMINAL = ("job.finished", "job.failed")
"""Every job ends with exactly one of these."""
DURABLE = (*TERMINAL, "batch.finished")
"""These events are on disk before the job or batch that they are about is removed."""

EVENTS: dict[str, Event] = {
    "daemon.started": Event(
        "info", "version pid root devices slots watch", "the daemon holds the lock and is ready"
    ),
    "daemon.stopping": Event("info", "reason running", "no more claims; running jobs are saved"),
    "daemon.stopped": Event(
        "info",
        "finished failed cancelled waiting seconds",
        "the last line; counts since daemon.started",
    ),
    "daemon.reloaded": Event(
        "info",
        "config needs_restart",
        "HUP: the config was read again; needs_restart: what waits for the next start",
    ),
    "daemon.reload_failed": Event("error", "config error", "HUP: the old config is kept"),
    "daemon.error": Event("error", "error traceback", "a bug; the daemon goes on"),
    "library.warning": Event(
        "warning",
        "warning source [job] [slot]",
        "Python or a library warns of something; the daemon goes on",
    ),
    "plugins.loaded": Event("info", "backends refused", "backends that sidecars may name"),
    "plugin.failed": Event("warning", "name status reason", "a backend that is off, and why"),
    "inbox.waiting": Event(
        "info",
        "sidecar missing [nearest] [waited]",
        "a sidecar whose pictures have not come; nearest: names that are there, for each of these. "
        "After a minute it "
        "is told again, with `waited` in seconds, as a warning",
        serious="waited",
    ),
    "recipe.loaded": Event(
        "info", "recipe jobs", "a new or changed recipe; jobs: how many each picture makes"
    ),
    "recipe.invalid": Event(
        "warning",
        "recipe code message hint",
        "a recipe is wrong; it stays where it is, and the pictures in its folder wait",
    ),
    "recipe.held": Event(
        "warning",
        "recipe held taken hint",
        "the folder was full when its recipe was seen first: so many pictures wait for a release",
    ),
    "recipe.gone": Event(
        "warning",
        "recipe pictures hint",
        "the recipe of a folder was removed: so many of its pictures wait for another",
    ),
    "recipe.moved": Event(
        "warning",
        "folder was pictures held hint",
        "pictures that were made in a folder that is gone lie in this one now, because it was "
        "renamed: they are made again; many of them are held first",
    ),
    "recipe.released": Event("info", "folder", "what was held in the folder of a recipe goes on"),
    "recipe.again": Event(
        "info",
        "folder pictures",
        "somebody has asked for the pictures of a recipe's folder once more, with the recipe as it "
        "is now",
    ),
    "picture.passed_over": Event(
        "warning",
        "path reason",
        "something in the folder of a recipe that will not be made: a name that no sidecar can "
        "hold, a link, a kind that cannot be read; one of each kind in a folder is named",
    ),
    "inbox.lost": Event(
        "error", "path error", "the inbox cannot be read; no file counts as deleted"
    ),
    "inbox.back": Event("info", "path", "the inbox can be read again"),
    "inbox.unreadable": Event(
        "error", "path error", "a file or folder of the inbox cannot be read; the others go on"
    ),
    "watch.degraded": Event("warning", "reason", "no kernel events; timed rescans go on"),
    "intake.paused": Event("warning", "reason", "no new claims until the reason is gone"),
    "intake.resumed": Event("info", "reason", "claims go on"),
    "starts.paused": Event(
        "info",
        "cause [until] [reason]",
        "no job is started; running ones go on. cause: `person`, or `schedule` outside of its "
        "hours",
    ),
    "starts.resumed": Event("info", "cause", "jobs are started again"),
    "disk.full": Event(
        "error", "path error [job]", "a disk is full; what is done waits to be written"
    ),
    "disk.failed": Event("error", "path error [job]", "a file operation failed; it is repeated"),
    "request.refused": Event(
        "warning", "action name reason", "what a person has asked for cannot be done"
    ),
    "job.claimed": Event(
        "info",
        "job name sidecar backend priority [batch]",
        "the sidecar left the inbox; inputs are safe",
    ),
    "job.changed": Event(
        "info", "job held priority", "a person has held or released it, or changed its priority"
    ),
    "sidecar.changed": Event(
        "info", "sidecar [held] [priority]", "the same for one that is still in the inbox"
    ),
    "job.recovered": Event("info", "job found", "a job of an earlier run, and its state"),
    "job.unreadable": Event(
        "error", "error", "a job folder that cannot be read; it is left for a person to look at"
    ),
    "job.started": Event("info", "job name attempt slot device", "an attempt was dispatched"),
    "job.progress": Event(
        "info",
        "job slot step steps scale fraction losses elapsed eta",
        "at most one a second per job; scale: level of the pyramid",
    ),
    "job.noted": Event(
        "warning",
        "job slot note",
        "what is odd about a picture, or a note of its backend, such as: smaller tiles",
    ),
    "job.retried": Event(
        "warning", "job [slot] attempt code message delay", "another attempt follows"
    ),
    "job.requeued": Event(
        "info", "job [slot] reason", "back to waiting; the attempt does not count"
    ),
    "job.finished": Event(
        "info",
        "job name output backend device attempt steps losses seconds queued peak_memory "
        "width height [network] [stopped] [batch]",
        "the canonical line: the picture and its record are in the outbox",
    ),
    "job.failed": Event(
        "error",
        "job name output backend code message hint attempt [device] [seconds] [batch]",
        "the canonical line: the reason is in outbox/failed; info where it was cancelled",
    ),
    "batch.started": Event(
        "info", "batch name sidecar jobs", "a sidecar with lists was claimed, as so many jobs"
    ),
    "batch.finished": Event(
        "info",
        "batch name output round finished failed sheet seconds",
        "its last job has ended; round: 1, and one more each time after a retry",
    ),
    "batch.sheet_failed": Event("warning", "batch code reason", "there is no contact sheet"),
    "hook.finished": Event("info", "job hook seconds", "a command of `hooks` has run for the job"),
    "hook.failed": Event(
        "warning", "job hook reason [seconds] [printed]", "it failed; the job stays as it is"
    ),
    "gallery.failed": Event(
        "warning",
        "path code error",
        "the gallery cannot be written; jobs go on, and it is tried again",
    ),
    "pictures.cleared": Event("info", "job files action", "inbox pictures archived or deleted"),
    "outbox.expired": Event(
        "info",
        "path kind bytes [moved_to]",
        "a result, failure, batch or archived picture was deleted or moved: it was too old, or the "
        "outbox too large",
    ),
    "expiry.failed": Event(
        "warning", "reason", "a sweep for what is too old has failed; it is tried again"
    ),
    "worker.started": Event("info", "slot pid device seconds", "a worker process is ready"),
    "worker.ended": Event(
        "info",
        "slot pid [device] reason [exit]",
        "a worker process is gone; exit: where it ended by itself",
    ),
    "cluster.changed": Event(
        "info",
        "address nodes slots",
        "nodes and slots of the Ray cluster, at the start and at a change",
    ),
    "cluster.lost": Event(
        "error",
        "address reason",
        "the Ray cluster is out of reach; jobs wait, and it is tried again",
    ),
    "device.tried": Event(
        "info",
        "device [model] [error] [seconds] [cpu_seconds] [refused]",
        "`devices: auto` has tried an accelerator: its relative error, and the seconds of a small "
        "evaluation on it and on the CPU; refused: why it is not taken",
        serious="refused",
    ),
    "device.down": Event(
        "error", "device failures cooldown reason", "the breaker opened; it is tried again later"
    ),
    "device.up": Event("info", "device", "a job succeeded again; the breaker closed"),
}
