"""The daemon: one loop that calls the parts of the pipeline, and handles signals and requests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait

from nstd import __version__
from nstd.backends.probe import BackendStatus
from nstd.daemon.once import OnceRun
from nstd.daemon.pipeline import Pipeline
from nstd.daemon.request_handler import RequestHandler
from nstd.daemon.systemd import Notifier
from nstd.daemon.wakeup import Signals, WakePipe
from nstd.documents.config import Config
from nstd.errors import NstdError, StoreError, printable
from nstd.logs.log import Logging, emit, log_bug
from nstd.logs.throttle import Throttle
from nstd.system.durable import Files
from nstd.system.layout import LOCK, LOGS
from nstd.system.lock import Lock
from nstd.system.units import counted
from nstd.system.waits import USUAL, Waits

EXIT_OK, EXIT_DEVICES_DOWN = 0, 5
FIXED = ("folders", "executor", "devices", "slots", "metrics")
"""Sections of the config whose changes need a restart."""
_LONGEST_SLEEP = 10.0
_LOG_AGAIN = 60.0


class Daemon:
    """The daemon: made from a config; `run` does everything and returns the exit status."""

    def __init__(
        self,
        config: Config,
        *,
        once: bool = False,
        reload: Callable[[], Config] | None = None,
        files: Files | None = None,
        waits: Waits = USUAL,
    ) -> None:
        self._config, self._reload = config, reload
        files, self._after_error = files or Files(), waits.after_error
        self._wake_pipe, self._notifier = WakePipe(), Notifier()
        self._pipeline = Pipeline(config, files, self._wake_pipe.wake, waits)
        self._once = OnceRun(config, self._pipeline) if once else None
        work = config.folder("work")
        self._lock = Lock(work / LOCK)
        self._requests = RequestHandler(work, files, self._pipeline)
        self._pipeline.backends.is_patient = not once  # a run with `once` has to end
        self._unavailable: set[str] = set()
        self._throttle = Throttle(_LOG_AGAIN)
        self._is_draining = self._is_ended = False

    def run(self) -> int:
        """Run until a signal, or with `once` until no work is left. Returns the exit status.

        Raises StoreError `already_running` when another daemon uses the root, and `io_error` when
        `once` could not read the inbox, or when the folder `work` was taken away; and `paused` when
        `once` has work that may not start now.
        """
        self._lock.acquire()
        self._logging = Logging(self._config.folder("outbox") / LOGS, self._config.log)
        self._signals, began = Signals(self._wake_pipe), time.monotonic()
        try:
            self._start()
            while not self._is_done():
                self._turn()
            if self._once is not None and not self._is_draining:
                self._once.check()
            return EXIT_DEVICES_DOWN if self._must_give_up() else EXIT_OK
        except NstdError:
            raise
        except Exception as error:
            log_bug(error)
            raise
        finally:
            self._close(began)

    def _turn(self) -> None:
        """Run each step once; a step that fails does not stop the others.

        Raises StoreError when the root is not ours any more: another daemon may start on it.
        """
        self._keep_lock()
        results = [self._try(self._handle_signals)]
        results += [self._try(step) for step in self._steps()]
        self._notifier.watchdog()
        if not all(results):
            time.sleep(self._after_error)
        self._try(self._sleep)

    def _keep_lock(self) -> None:
        try:
            self._lock.keep()
        except StoreError as error:
            running = len(self._pipeline.scheduler.running)
            emit("daemon.stopping", reason=error.message, running=running)
            raise

    def _steps(self) -> list[Callable[[float], None]]:
        requests = [] if self._is_draining else [self._requests.handle_requests]
        return [*requests, *self._pipeline.steps(), self._report_state]

    def _try(self, step: Callable[[float], None]) -> bool:
        """Run one step; False when it raised an error, which is logged at most once a minute."""
        now = time.monotonic()
        try:
            step(now)
        except Exception as error:
            kind = step.__name__, type(error).__name__
            if self._throttle.is_new(kind):
                self._log_error(error)
            return False
        return True

    def _log_error(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._pipeline.disk_errors.log(error, str(error.filename or ""))
        else:
            log_bug(error)

    def _sleep(self, now: float) -> None:
        if self._is_done():
            return
        due = self._pipeline.next_event(now)
        longest = min(self._notifier.watchdog_interval or _LONGEST_SLEEP, _LONGEST_SLEEP)
        wait(
            [self._wake_pipe.fileno(), *self._pipeline.waitables()],
            max(0.0, min(due - now, longest)),
        )
        if self._wake_pipe.clear():
            self._pipeline.admission.scans.soon()

    # Beginning and end

    def _start(self) -> None:
        """Start the executor, check the backends, and report that the daemon is ready."""
        self._pipeline.open()
        self._log_backends()
        emit(
            "daemon.started",
            version=__version__,
            pid=os.getpid(),
            root=printable(self._config.root),
            devices=list(self._pipeline.scheduler.breakers),
            slots=[slot.name for slot in self._pipeline.scheduler.slots],
            watch=self._pipeline.admission.scans.watcher.mode,
        )
        self._report_state(time.monotonic())
        self._notifier.ready("watching the inbox")

    def _log_backends(self) -> None:
        """Check the plugins that are not known yet, and log which can be used."""
        plugins = self._pipeline.backends.check_all()
        for plugin in plugins:
            if plugin.status is not BackendStatus.OK:
                emit(
                    "plugin.failed",
                    name=plugin.name,
                    status=plugin.status.value,
                    reason=printable(plugin.reason),
                )
        healthy = [plugin.name for plugin in plugins if plugin.status is BackendStatus.OK]
        emit("plugins.loaded", backends=healthy, refused=len(plugins) - len(healthy))

    def _is_done(self) -> bool:
        if self._is_ended or self._must_give_up():
            return True
        if self._is_draining:
            return not self._pipeline.scheduler.running and self._pipeline.hooks.is_idle
        return self._once is not None and self._once.is_over() and self._requests.is_idle

    def _must_give_up(self) -> bool:
        """Whether all devices are down, and the config or `once` says not to wait for them."""
        give_up = self._once is not None or self._config.workers.exit_when_all_down
        return give_up and self._pipeline.scheduler.all_down

    def _close(self, began: float) -> None:
        """Stop the workers, write what can be written, and log the counts of the run."""
        self._notifier.stopping("stopping")
        self._pipeline.close()
        emit(
            "daemon.stopped",
            finished=self._pipeline.publisher.finished,
            failed=self._pipeline.publisher.failed,
            cancelled=self._pipeline.publisher.cancelled,
            waiting=len(self._pipeline.scheduler.waiting) + self._pipeline.admission.inbox.count,
            seconds=round(time.monotonic() - began, 1),
        )
        self._logging.close()
        self._notifier.close()
        self._lock.release()
        self._signals.restore()
        self._wake_pipe.close()

    # Signals and requests

    def _handle_signals(self, _now: float) -> None:
        for number in self._signals.take():
            if number is signal.SIGHUP:
                self._reload_config()
            elif self._is_draining:
                self._is_ended = True
            else:
                self._drain(number.name)

    def _drain(self, reason: str) -> None:
        """Stop claiming, and have the running jobs save their state and wait again."""
        running = len(self._pipeline.scheduler.running)
        self._is_draining = True
        emit("daemon.stopping", reason=reason, running=running)
        self._notifier.stopping(f"saving {counted(running, 'job')}")
        self._pipeline.drain()

    def _reload_config(self) -> None:
        """On SIGHUP: apply the changes that need no restart; a config with errors changes
        nothing."""
        if self._reload is None or self._is_draining:
            return
        self._notifier.reloading()
        path = printable(self._config.root)
        try:
            config = self._reload()
        except NstdError as error:
            emit("daemon.reload_failed", config=path, error=error.message)
        else:
            old = {name: getattr(self._config, name) for name in FIXED}
            later = [name for name in FIXED if getattr(config, name) != old[name]]
            self._config = config.model_copy(update=old)
            self._pipeline.configure(self._config)
            self._logging.reconfigure(self._config.log)
            emit("daemon.reloaded", config=path, needs_restart=later)
            self._pipeline.backends.forget_failures()
            self._log_backends()
        self._notifier.ready("watching the inbox")

    def _report_state(self, _now: float) -> None:
        state, scheduler = self._pipeline.state, self._pipeline.scheduler
        self._pipeline.health.write(scheduler, state)
        if self._unavailable - state.unavailable.keys():  # one is back, or has failed for good
            self._log_backends()
        self._unavailable = set(state.unavailable)
        held = sum(entry.job.held for entry in scheduler.waiting.values())
        counts = f"{len(scheduler.running)} running, {len(scheduler.waiting) - held} waiting"
        problem = "the inbox cannot be read" if state.inbox_lost else state.paused
        pause = scheduler.start_pause
        words = [
            counts + (f", {held} held" if held else ""),
            pause.describe() if pause else "",
            problem,
        ]
        self._notifier.status("; ".join(filter(None, words)))
