"""After the storm, when everything was let go and all has ended: what is not as it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from support.playground import Playground, wait_for

from soak.judge import Judge
from soak.operator import Operator
from soak.promises import broken_promises
from soak.report import Report


def look_for_holds(ground: Playground, report: Report) -> None:
    """Nothing is held or paused by mistake, as everything was released."""
    status = json.loads(ground.said("status", "--json"))
    held = [each["name"] for each in status["waiting"] if each["state"] == "held"]
    held += status["held_in_inbox"]
    held += [each["folder"] for each in status["recipes"] if each["held"]]
    for name in held:
        report.blame("left held", name)
    if status["start_pause"] is not None:
        report.blame("left held", "everything", str(status["start_pause"]))


def look_for_damage(ground: Playground, report: Report) -> None:
    """`nstd verify`, on what has not expired, after a sweep that ends what others began."""
    wait_for(lambda: _has_swept(ground), what="the end of a sweep of the daemon")
    ground.said("gallery")
    found = ground.command("verify")
    if found.returncode:
        report.blame("unsound", "verify", found.stdout + found.stderr)


def _has_swept(ground: Playground) -> bool:
    """Sweep; False while the daemon does."""
    done = ground.command("expire")
    is_busy = "[already_running]" in done.stderr
    assert is_busy or done.returncode == 0, done.stderr
    return not is_busy


def expire_all(ground: Playground, environment: Mapping[str, str], report: Report) -> None:
    """The last sweep, by whose clock everything is too old: nothing is left on its way."""
    command = [sys.executable, "-m", "nstd", "expire", "-c", str(ground.config_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        report.blame("bugs", "nstd expire", done.stderr)


def judge_promises(judge: Judge, operator: Operator, report: Report) -> None:
    """What the operator was promised, and what the commands have said."""
    report.asked += operator.counts
    made = {
        each.name: each.priority for each in judge.results.values() if each.priority is not None
    }
    events = judge.events()
    for broken in broken_promises(events, operator.asked, operator.folders_held, made):
        report.blame(*broken)
    for of, what in operator.bugs.items():
        report.blame("bugs", of, what)
