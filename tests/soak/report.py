"""What a storm comes to: its figures, and everything that is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from soak.dropper import FINISHED, Submission
from soak.judge import Judge

BLOWS = ("daemon kills", "worker kills", "restarts", "TERMs", "HUPs", "disk fills", "inboxes taken")
ASKED = ("holds", "releases", "priorities", "pauses", "hours closed", "made again", "refusals")
WRONGS = (
    *("lost", "doubled", "torn", "mistaken", "left over", "too early", "left held", "unsound"),
    *("exits", "stuck", "bugs"),
)
_SHOWN = 20


@dataclass
class Report:
    """Counts of blows and jobs; and what is wrong, by its kind: of whom, and a sentence."""

    seed: int
    blows: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    expired: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    jobs: int = 0
    seconds: float = 0.0
    longest_gap: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing at all is wrong."""
        return not any(self.wrong.values())

    def blame(self, kind: str, of: str, what: str = "") -> None:
        """Note what is wrong with something; the first word about it counts."""
        self.wrong[kind].setdefault(of, what)

    def judge(self, judge: Judge, ledger: Mapping[str, Submission]) -> None:
        """When all has ended: each submission has one result and one terminal event."""
        places, told = judge.places(), judge.terminal_events()
        by_name = {result.name: result for result in judge.results.values()}
        self.jobs = len(ledger)
        for name, job in ledger.items():
            found = places.pop(name, [])
            if len(found) > 1:
                self.blame("doubled", name, f"is in {' and '.join(found)}")
            elif not found and not job.may_be_gone:
                self.blame("lost", name, f"({job.kind}) is nowhere")
            if (result := by_name.get(name)) is None:
                if found:
                    self.blame("stuck", name, f"({job.kind}) is still in {' and '.join(found)}")
                continue
            self.ends[result.code or "finished"] += 1
            is_other = result.code == FINISHED and not job.is_shown_by(result.colors)
            if result.code not in job.ends or is_other:
                self.blame("mistaken", name, f"({job.kind}) ended as {result}")
            events = told.pop(result.job, 0)
            if events != 1:
                self.blame("doubled" if events else "lost", name, f"has {events} terminal events")
        for name in places:
            self.blame("doubled", name, "was dropped by nobody")
        for ended in told:
            self.blame("doubled", ended, "is a second job that was ended")
        for torn in judge.torn:
            self.blame("torn", torn)
        for event in judge.events():
            if event.get("event") == "daemon.error":
                self.blame("bugs", event["error"], event["traceback"])
        for path in judge.leftovers():
            self.blame("left over", str(path))

    def in_short(self) -> str:
        """One line, while it goes on."""
        figures = {blow: self.blows[blow] for blow in BLOWS}
        figures |= {what: len(found) for what, found in self.wrong.items() if found}
        return ", ".join(f"{count} {what}" for what, count in figures.items())

    def __str__(self) -> str:
        counts = {"seed": self.seed, "jobs": self.jobs} | {blow: self.blows[blow] for blow in BLOWS}
        counts |= {what: self.asked[what] for what in ASKED} | {"expired": self.expired}
        lines = [f"{name:<22}{count:>8}" for name, count in counts.items()]
        lines += [f"  ended: {end:<13}{count:>8}" for end, count in self.ends.most_common()]
        lines += [f"{name:<22}{len(self.wrong[name]):>8}" for name in WRONGS]
        lines += [f"{'longest without ping':<22}{self.longest_gap:>7.1f}s"]
        lines += [f"{'seconds':<22}{self.seconds:>8.0f}"]
        for name in WRONGS:
            found = sorted(self.wrong[name].items())[:_SHOWN]
            lines += [f"{name}: {of} {what}".rstrip() for of, what in found]
        return "\n".join(lines)
