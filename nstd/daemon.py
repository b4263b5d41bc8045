"""The daemon: one loop along the straight line, and what interrupts it.

inbox -> spool (claim) -> scheduler -> executor -> worker -> backend -> outbox
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import wait

from nstd import __version__
from nstd.clearance import Clearance
from nstd.config import Config
from nstd.devices import make_slots, resolve
from nstd.dispatcher import Dispatcher
from nstd.errors import NstdError, printable
from nstd.executors import make_executor
from nstd.files import Files
from nstd.inbox import Inbox
from nstd.intake import Intake
from nstd.lock import Lock
from nstd.log import Logging, disk_event, emit, keep_job_log
from nstd.notify import Notifier
from nstd.outbox import LOGS, Outbox
from nstd.plugins import Plugins
from nstd.probe import Status
from nstd.publisher import Publisher
from nstd.requests import Request, Requests
from nstd.signals import Signals
from nstd.spool import Spool, State
from nstd.state import StateFile
from nstd.wake import Wake

EXIT_OK, EXIT_DEVICES_DOWN = 0, 5
_LONGEST_SLEEP = 10.0
_TELL_AGAIN = 60.0


class Daemon:
    """Everything between a config and an exit status; `run` is the whole of its life."""

    def __init__(
        self,
        config: Config,
        *,
        once: bool = False,
        reload: Callable[[], Config] | None = None,
        files: Files | None = None,
    ) -> None:
        self._config, self._once, self._reload = config, once, reload
        self._files = files = files or Files()
        work, outbox = config.folder("work"), config.folder("outbox")
        for name in ("work", "outbox", "inbox", "styles"):
            files.make_folder(config.folder(name))
        self._lock, self._wake, self._notifier = Lock(work / "daemon.lock"), Wake(), Notifier()
        self._requests, self._state = Requests(work, files), StateFile(work / "daemon.json", files)
        self._plugins, self._outbox = Plugins(), Outbox(outbox, files)
        slots = make_slots(resolve(config.devices), config.slots)
        inbox = Inbox(config)
        self._spool = Spool(work, inbox.root, files)
        self._intake = Intake(config, inbox, self._spool, self._plugins, self._wake.ring)
        self._clearance = Clearance(config, inbox, files)
        self._publisher = Publisher(self._spool, self._outbox, outbox / LOGS, self._clearance.add)
        executor = make_executor(config, slots, work / ".workers")
        self._dispatcher = Dispatcher(
            config, slots, executor, self._spool, self._publisher, self._state
        )
        self._draining = ""
        self._told = ("", 0.0)
        self._is_ended = False

    def run(self) -> int:
        """Run until a signal, or with `once` until nothing is left; the exit status.

        Raises SpoolError `already_running` when another daemon has the root.
        """
        self._lock.acquire()
        self._logging = Logging(self._config.folder("outbox") / LOGS, self._config.log)
        self._signals, began = Signals(self._wake), time.monotonic()
        try:
            self._start()
            while not self._is_done():
                self._turn()
            return EXIT_DEVICES_DOWN if self._must_give_up() else EXIT_OK
        finally:
            self._close(began)

    def _turn(self) -> None:
        """One round. A bug met on the way is told and costs a second, not the service."""
        try:
            self._heed_signals()
            now = time.monotonic()
            if not self._draining:
                self._heed_requests(now)
                self._take_in(now)
                self._dispatcher.dispatch(now)
            self._dispatcher.collect(now)
            self._put_out(now)
        except Exception as error:
            self._tell_error(error)
            time.sleep(1.0)
        self._tell_state()
        self._notifier.watchdog()
        self._sleep()

    def _tell_error(self, error: Exception) -> None:
        """Tell an error once, and again when it is still there a minute later."""
        known, since = self._told
        if known != repr(error) or time.monotonic() - since > _TELL_AGAIN:
            self._told = repr(error), time.monotonic()
            if isinstance(error, OSError):
                emit(disk_event(error), path=str(error.filename), error=printable(str(error)))
            else:
                emit("daemon.error", error=repr(error), traceback=traceback.format_exc())

    def _take_in(self, now: float) -> None:
        if self._intake.needs_repair:
            self._adopt()
        trouble = self._dispatcher.reason_to_pause(now) or self._publisher.trouble
        self._intake.pause(trouble or self._intake.short_of_space())
        for job, refused in self._intake.jobs(now, self._dispatcher.scheduler.admits):
            if refused:
                self._publisher.conclude(job)
            else:
                self._dispatcher.scheduler.add(job)

    def _put_out(self, now: float) -> None:
        self._publisher.work(now)
        self._clearance.work()

    def _sleep(self) -> None:
        now = time.monotonic()
        due = min(self._dispatcher.next_event(now), self._publisher.next_event)
        if not self._draining:
            due = min(due, self._intake.next_event(self._dispatcher.scheduler.admits))
        longest = self._notifier.watchdog_interval or _LONGEST_SLEEP
        if not self._is_done():
            pause = max(0.0, min(due - now, longest, _LONGEST_SLEEP))
            wait([self._wake.fileno(), *self._dispatcher.waitables()], pause)
        if self._wake.clear():
            self._intake.hurry()

    # Beginning and end

    def _start(self) -> None:
        """Look at the plugins, and tell that we are up."""
        plugins = self._plugins.check_all()
        for plugin in plugins:
            if plugin.status is not Status.OK:
                emit(
                    "plugin.failed",
                    name=plugin.name,
                    status=plugin.status.value,
                    reason=printable(plugin.reason),
                )
        healthy = [plugin.name for plugin in plugins if plugin.status is Status.OK]
        emit("plugins.loaded", backends=healthy, refused=len(plugins) - len(healthy))
        emit(
            "daemon.started",
            version=__version__,
            pid=os.getpid(),
            root=printable(self._config.root),
            devices=list(self._dispatcher.scheduler.breakers),
            slots=[slot.name for slot in self._dispatcher.scheduler.slots],
            watch=self._intake.watcher.mode,
        )
        self._notifier.ready("watching the inbox")

    def _adopt(self) -> None:
        """Take over every job on disk that is not known yet; what its files say is what is done."""
        self._outbox.clean(set(self._publisher.pending))
        self._spool.undo_claims()
        self._intake.needs_repair = False
        for job, state in list(self._spool.jobs()):
            if job.id in self._dispatcher.scheduler or job.id in self._publisher.pending:
                continue
            keep_job_log(job.id, self._spool.paths(job.id).log)
            emit("job.recovered", job=job.id, found=state.value)
            if state is State.WAITING:
                self._dispatcher.scheduler.add(self._spool.forgive_crash(job))
            else:
                self._publisher.conclude(job)

    def _is_done(self) -> bool:
        if self._is_ended or self._must_give_up():
            return True
        is_idle = self._dispatcher.is_idle and not self._publisher.pending
        if self._draining:
            return not self._dispatcher.scheduler.running
        return self._once and is_idle and self._intake.is_empty and self._requests.is_empty

    def _must_give_up(self) -> bool:
        """All devices are down, and the config or `once` says not to wait for them."""
        give_up = self._once or self._config.workers.exit_when_all_down
        return give_up and self._dispatcher.scheduler.all_down

    def _close(self, began: float) -> None:
        """End the workers, write what can be written, and tell the counts."""
        self._notifier.stopping("stopping")
        self._intake.watcher.stop()
        self._dispatcher.end()
        self._publisher.work(time.monotonic())
        emit(
            "daemon.stopped",
            finished=self._publisher.finished,
            failed=self._publisher.failed,
            waiting=len(self._dispatcher.scheduler.waiting) + self._intake.inbox.count,
            seconds=round(time.monotonic() - began, 1),
        )
        self._signals.restore()
        self._logging.close()
        self._wake.close()
        self._notifier.close()
        self._lock.release()

    # Signals and requests

    def _heed_signals(self) -> None:
        for number in self._signals.take():
            if number is signal.SIGHUP:
                self._reload_config()
            elif self._draining:
                self._is_ended = True
            else:
                self._drain(number.name)

    def _drain(self, reason: str) -> None:
        """Claim no more, have running jobs saved and put back."""
        running = len(self._dispatcher.scheduler.running)
        self._draining = reason
        emit("daemon.stopping", reason=reason, running=running)
        self._notifier.stopping(f"saving {running} jobs")
        self._dispatcher.drain()

    def _reload_config(self) -> None:
        """HUP: take over what can be taken over; a bad config changes nothing."""
        if self._reload is None:
            return
        self._notifier.reloading()
        path = printable(self._config.root)
        try:
            config = self._reload()
        except NstdError as error:
            emit("daemon.reload_failed", config=path, error=error.message)
        else:
            fixed = ("folders", "executor", "devices", "slots")
            later = [name for name in fixed if getattr(config, name) != getattr(self._config, name)]
            self._config = config
            for part in (self._intake, self._clearance, self._dispatcher):
                part.configure(config)
            self._logging.reconfigure(config.log)
            emit("daemon.reloaded", config=path, needs_restart=later)
        self._notifier.ready("watching the inbox")

    def _heed_requests(self, now: float) -> None:
        for request in self._requests.take():
            if not self._carry_out(request, now):
                emit(
                    "request.refused",
                    action=request.action,
                    name=printable(request.job),
                    reason="no such job waits or runs",
                )

    def _carry_out(self, request: Request, now: float) -> bool:
        if request.action == "retry":
            return self._dispatcher.restart(request.job)
        if self._dispatcher.cancel(request.job):
            return True
        job = self._intake.cancel(request.job, now)
        if job is not None:
            self._publisher.conclude(job)
        return job is not None

    def _tell_state(self) -> None:
        state = "stopping" if self._draining else "running"
        scheduler, intake = self._dispatcher.scheduler, self._intake
        self._state.write(scheduler, state=state, paused=intake.paused, inbox_lost=intake.is_lost)
        running, waiting = len(scheduler.running), len(scheduler.waiting)
        self._notifier.status(f"{running} running, {waiting} waiting {intake.paused}".strip())
