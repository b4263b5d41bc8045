"""The storm: jobs are dropped while the blows of a schedule fall, then all is let drain."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import TimeoutExpired

import psutil
from PIL import Image
from support.playground import Playground

from soak import aftermath
from soak.disks import Disk
from soak.dropper import STYLE, Dropper
from soak.judge import Judge, has_entries, recipe_pictures, sidecars
from soak.manager import Manager
from soak.operator import Operator
from soak.report import Report
from soak.schedule import DISKS, Blow, Event, schedule

BACKLOG = 12
"""So many sidecars are kept waiting in the inbox."""
EXCUSED = 5.0
"""Seconds after a folder could not be used in which the daemon may still end of it."""
PATIENCE = 300.0
"""Seconds in which all that was dropped must end, once the blows are over."""
SETTINGS = {
    "slots": {"cpu": 2},
    "watch": {"settle": "100ms", "rescan": "300ms", "orphan": "15s"},
    "jobs": {"pictures": "archive", "queue": 8, "backoff": "50ms", "checkpoint": "100ms"},
    "workers": {"grace": "1s", "cooldown": "100ms"},
    "limits": {"min_free": "0B"},
    "log": {"size": "1MiB", "keep": 9999, "console": "none"},
}


class Storm:
    """One run over a root in `folder`, which must be empty."""

    def __init__(self, folder: Path, seed: int, *, mounted: bool) -> None:
        self._gone = folder / "gone"
        self._gone.mkdir()
        retention = {"results": "90d", "failures": "90d", "move_to": str(self._gone)}
        self._ground = ground = Playground(folder, **SETTINGS, retention=retention)
        Image.new("RGB", (16, 12), "orange").save(ground.styles / STYLE)
        self._disks = {name: Disk(ground.root / name, mounted=mounted) for name in DISKS}
        self._manager = Manager(ground.config_path, ground.environment, folder)
        scratch = folder / "scratch"
        scratch.mkdir()
        self._dropper = Dropper(ground, scratch, seed)
        self._judge = Judge(ground.inbox, ground.work, ground.outbox, self._gone)
        self._operator = Operator(ground, self._dropper)
        self._schedule, self._began = schedule(seed), time.monotonic()
        self._excused_until = 0.0
        self.report = Report(seed=seed)

    def run(self, kills: int, minutes: float) -> Report:
        """Blow until the daemon and workers were killed so often, or for so long; then judge."""
        until, shown = self._began + minutes * 60, self._began
        while time.monotonic() < until and not self._has_had(kills):
            event = next(self._schedule)
            self._let(event.wait)
            self._carry_out(event)
            self.report.blows["restarts"] = self._manager.starts - 1
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(self.report.in_short(), file=sys.stderr, flush=True)
        self._drain()
        self._sum_up()
        return self.report

    def _has_had(self, kills: int) -> bool:
        blows = self.report.blows
        return min(blows["daemon kills"], blows["worker kills"]) >= kills

    def _let(self, seconds: float) -> None:
        """Let that much time pass, in which people drop and the manager keeps the daemon up."""
        until = time.monotonic() + seconds
        while True:
            self._keep_up()
            self._top_up()
            self._operator.look()
            if time.monotonic() >= until:
                return
            time.sleep(0.02)

    def _keep_up(self) -> None:
        """A daemon ends by itself only if it starts while its folders cannot be used."""
        status = self._manager.keep_up()
        if status is not None:
            self._heed_exit(f"the daemon ended by itself with status {status}")

    def _heed_exit(self, what: str) -> None:
        if time.monotonic() > self._excused_until:
            self.report.blame("exits", what)

    def _top_up(self) -> None:
        if self._ground.inbox.is_dir():
            waiting = sum(1 for _ in sidecars(self._ground.inbox))
            for _ in range(BACKLOG - waiting):
                self._dropper.drop()

    # The blows

    def _carry_out(self, event: Event) -> None:
        match event.blow:
            case Blow.KILL_DAEMON:
                self._await(event.aim)
                self._kill_daemon()
            case Blow.KILL_WORKERS:
                self._kill_workers()
            case Blow.TERM | Blow.TWO_TERMS:
                self._end(twice=event.blow is Blow.TWO_TERMS)
            case Blow.HUP | Blow.BAD_HUP:
                self._reload(event)
            case Blow.FILL_SPACE | Blow.FILL_INODES:
                self._fill(event)
            case Blow.INBOX_AWAY | Blow.INBOX_GONE:
                self._operator.inbox_taken()
                self._take_inbox(event)
                self._operator.inbox_taken()
            case Blow.PAUSE:
                self._pause(event)
            case Blow.CLOSED_HOURS:
                self._close_hours(event)
            case _:
                self._operator.act(event)

    def _await(self, aim: str) -> None:
        """Wait for the middle of a step, but not for ever."""
        folder, until = self._ground.root / aim, time.monotonic() + 1.5
        while aim and time.monotonic() < until and not has_entries(folder):
            time.sleep(0.0005)

    def _kill_daemon(self) -> None:
        self._keep_up()
        self._manager.kill()
        self.report.blows["daemon kills"] += 1
        self._take_census()

    def _take_census(self) -> None:
        """While nothing runs: each submission is in one place."""
        if not self._ground.inbox.is_dir():
            return
        places = self._judge.places()
        for name, job in self._dropper.ledger.items():
            if not places.get(name) and not job.may_be_gone:
                self.report.blame("lost", name, f"({job.kind}) was nowhere")
        for name, found in places.items():
            if len(found) > 1:
                self.report.blame("doubled", name, f"was in {' and '.join(found)}")

    def _kill_workers(self) -> None:
        """Those that there are, or the next that come up."""
        until = time.monotonic() + 3
        while not (workers := self._manager.workers()) and time.monotonic() < until:
            self._let(0.05)
        for worker in workers:
            try:
                worker.kill()
                self.report.blows["worker kills"] += 1
            except psutil.NoSuchProcess:
                pass

    def _end(self, *, twice: bool) -> None:
        """As `systemctl stop` does; a daemon that is not up yet has no handler."""
        was_ready = self._manager.ready.wait(5)
        self._manager.send(signal.SIGTERM)
        if twice:
            time.sleep(0.05)
            self._manager.send(signal.SIGTERM)
        self.report.blows["TERMs"] += 1
        try:
            status = self._manager.wait()
        except TimeoutExpired:
            self.report.blame("stuck", "the daemon did not heed TERM within a minute")
            self._manager.kill()
            return
        is_fine = status == 0 or (twice and status == -signal.SIGTERM)  # it was all but gone
        if not is_fine and was_ready:
            self._heed_exit(f"TERM ended the daemon with status {status}")

    def _reload(self, event: Event) -> None:
        if not self._manager.ready.wait(5):
            return
        if event.blow is Blow.BAD_HUP:
            self._ground.config_path.write_text("watch: {settle: soon}\n")
        else:
            self._ground.configure(jobs={"queue": 4 + int(event.lasting * 10)})
        self._manager.send(signal.SIGHUP)
        self.report.blows["HUPs"] += 1
        time.sleep(0.3)
        self._ground.configure()

    def _fill(self, event: Event) -> None:
        disk = self._disks[event.disk]
        if not disk.mounted:
            return
        disk.fill(inodes=event.blow is Blow.FILL_INODES)
        self._excuse(event)
        self.report.blows["disk fills"] += 1
        self._let(event.lasting)
        if event.deadly:
            self._kill_daemon()
            self._let(event.lasting)
        disk.free()

    def _excuse(self, event: Event) -> None:
        """While its folders fail, and until an end that this has begun is over."""
        self._excused_until = time.monotonic() + 2 * event.lasting + EXCUSED

    def _take_inbox(self, event: Event) -> None:
        """It vanishes by one rename, as a share that is unmounted; the daemon may make its own."""
        inbox, aside = self._ground.inbox, self._ground.folder / "aside"
        inbox.rename(aside)
        self._excuse(event)
        self.report.blows["inboxes taken"] += 1
        time.sleep(event.lasting)
        if event.deadly:
            self._manager.kill()
            self.report.blows["daemon kills"] += 1
            self._keep_up()
            time.sleep(event.lasting)
        if event.blow is Blow.INBOX_GONE:
            self._dropper.deleted(aside)
            shutil.rmtree(aside)
            inbox.mkdir(exist_ok=True)
            return
        while aside.exists():
            shutil.rmtree(inbox, ignore_errors=True)
            try:
                aside.rename(inbox)
            except OSError:  # the daemon was faster
                continue

    # The operator

    def _pause(self, event: Event) -> None:
        """Through a kill or not, until it is over or resumed."""
        is_timed = event.pick < 0.3
        self._operator.pause(event.lasting, is_timed=is_timed, now=event.disk == "work")
        self._let_within(event)
        if not is_timed:
            self._operator.resume()

    def _close_hours(self, event: Event) -> None:
        """The hours of `schedule` are over for a while."""
        soon = datetime.now() + timedelta(hours=6)
        self._set_hours([f"{soon:%H:%M}-{soon + timedelta(minutes=1):%H:%M}"])
        self.report.asked["hours closed"] += 1
        self._let_within(event)
        self._set_hours([])

    def _set_hours(self, hours: list[str]) -> None:
        if not hours:
            self._operator.opened()
        self._ground.configure(schedule=hours)
        if self._manager.ready.wait(5):
            self._manager.send(signal.SIGHUP)

    def _let_within(self, event: Event) -> None:
        self._let(event.lasting)
        if event.deadly:
            self._kill_daemon()
        self._let(event.lasting)

    # The end

    def _drain(self) -> None:
        """Start afresh, so that no pause is left, and wait until nothing waits or runs."""
        self._dropper.bring_late_pictures()
        self._operator.let_go()
        self._keep_up()
        self._end(twice=False)
        self._keep_up()
        until = time.monotonic() + PATIENCE
        while not self._is_empty() and time.monotonic() < until:
            self._keep_up()
            time.sleep(0.2)
        self._end(twice=False)
        aftermath.look_for_holds(self._ground, self.report)
        aftermath.look_for_damage(self._ground, self.report)
        self._judge.places()
        self.report.expired = sum(each.is_relative_to(self._gone) for each in self._judge.results)
        aftermath.expire_all(self._ground, self._manager.environment, self.report)

    def _is_empty(self) -> bool:
        ground = self._ground
        waiting = [*sidecars(ground.inbox), *recipe_pictures(ground.inbox, set())]
        return not waiting and not list(ground.work.glob("2*"))

    def _sum_up(self) -> None:
        report, manager = self.report, self._manager
        report.seconds = time.monotonic() - self._began
        report.blows["restarts"] = manager.starts - 1
        report.longest_gap = manager.longest_gap
        report.judge(self._judge, self._dropper.ledger)
        aftermath.judge_promises(self._judge, self._operator, report)

    def close(self) -> None:
        """End everything."""
        self._manager.close()
        for disk in self._disks.values():
            disk.take_down()
