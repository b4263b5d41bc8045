"""What happens in a studio that has a folder with a recipe; after each step, what must be true."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from support.playground import matching

from story.photographs import SAMPLES, take_photographs
from story.terminal import Terminal

QUIET = 4.0
"""Seconds in which something would have happened that must not: some times `watch.settle`."""
PARTS = (0.4, 0.3, 0.1, 0.2)
"""The shares of the photographs that come on their own, with the changed recipe, with the mistake,
and while the studio sleeps."""


class Story:
    """A root, and what is known of it."""

    def __init__(self, terminal: Terminal, count: int, *, backend: str, options: str) -> None:
        """`count` photographs, painted by `backend` with `options` of a recipe, in YAML."""
        self._terminal, self._backend, self._options = terminal, backend, options
        self._root = terminal.folder / "studio"
        self._inbox, self._outbox = self._root / "inbox", self._root / "outbox"
        self._folder = self._inbox / "holiday"
        self._parts = self._lay_out(count)
        self._done = 0
        self._day = datetime.now()

    def _lay_out(self, count: int) -> list[list[str]]:
        """The photographs in four folders, and the two styles."""
        for name in ("mosaic.jpg", "swirls.jpg"):
            shutil.copy(SAMPLES / name, self._terminal.folder)
        taken = take_photographs(self._terminal.folder / "all", count)
        parts = list[list[str]]()
        for number, share in enumerate(PARTS, 1):
            size = len(taken) if number == len(PARTS) else round(share * count)
            part, taken = taken[:size], taken[size:]
            place = self._terminal.folder / "photographs" / str(number)
            place.mkdir(parents=True)
            for path in part:
                path.rename(place / path.name)
            parts.append([path.stem for path in part])
        return parts

    def tell(self, look: Callable[[Path], None] | None = None) -> None:
        """From the first command to the last; `look` is called with the outbox when it is full."""
        self._begin()
        self._change_recipe()
        self._make_mistake()
        self._drop_oddities()
        self._sleep()
        self._make_again()
        self._look_at_all(look)
        self._grow_old()

    # The chapters

    def _begin(self) -> None:
        terminal = self._terminal
        terminal.tell("A studio with a folder for the photographs of a holiday.")
        terminal.run("nstd init studio")
        terminal.export("NSTD_CONFIG", self._root)
        limits = "s/results: null/results: 90d/; s/failures: null/failures: 30d/"
        terminal.run(f"sed -i 's/settle: 5s/settle: 1s/; {limits}' studio/config.yaml")
        terminal.run("nstd check studio/config.yaml")
        options = "".join(f" -o {each}" for each in self._options.split())
        terminal.run(f"nstd recipe holiday mosaic.jpg --size 128{options}")
        terminal.run("cat studio/inbox/holiday/recipe.yaml")
        self._daemon = terminal.start_daemon()
        terminal.wait("the daemon is up", lambda: len(self._log("daemon.started")), 1)
        terminal.tell(f"{len(self._parts[0])} photographs are copied there while it runs.")
        terminal.run("cp photographs/1/* studio/inbox/holiday")
        terminal.run("nstd check studio/inbox/holiday | tail -4")
        self._wait_for(self._parts[0])
        terminal.run("nstd status")
        self._check_once()

    def _change_recipe(self) -> None:
        terminal, before = self._terminal, set(self._made())
        terminal.tell("Another style, and more of it; what is made stays as it is.")
        terminal.run("cp swirls.jpg studio/styles")
        self._write_recipe("swirls.jpg", "strength: 0.6")
        terminal.run("nstd check studio/inbox/holiday/recipe.yaml")
        terminal.run("cp photographs/2/* studio/inbox/holiday")
        self._wait_for(self._parts[1])
        styles = {
            name: record["inputs"]["styles"][0]["file"] for name, record in self._made().items()
        }
        wanted = dict.fromkeys(before, "mosaic.jpg") | dict.fromkeys(self._parts[1], "swirls.jpg")
        terminal.check("the new recipe counts for what came after it", styles, wanted)
        self._check_once()

    def _make_mistake(self) -> None:
        terminal = self._terminal
        terminal.tell("A slip of the finger in the recipe, and more photographs.")
        self._write_recipe("swirls.jpg", "strenght: 0.7")
        terminal.run("cp photographs/3/* studio/inbox/holiday")
        terminal.wait("the log has one line about it", lambda: len(self._log("recipe.invalid")), 1)
        time.sleep(QUIET)
        terminal.run("nstd status | grep folder")
        said = terminal.run("nstd check studio/inbox/holiday/recipe.yaml", status=1)
        terminal.check("the right name is proposed", "'strength'" in said, True)
        terminal.run("nstd logs --level warning")
        terminal.check("the log still has one line", len(self._log("recipe.invalid")), 1)
        terminal.check("the photographs wait", len(self._made()), self._done)
        self._write_recipe("swirls.jpg", "strength: 0.7")
        self._wait_for(self._parts[2])
        self._check_once()

    def _drop_oddities(self) -> None:
        terminal, first = self._terminal, self._parts[0][0]
        terminal.tell(
            "The same photograph again, under another name; all touched; and one more,",
            "whose download was cut off.",
        )
        terminal.run(f"cp photographs/1/{first}.jpg studio/inbox/holiday/mine.jpg")
        terminal.wait("it is told once", lambda: len(self._log("picture.passed_over")), 1)
        terminal.run("touch studio/inbox/holiday/*-1.jpg")
        time.sleep(QUIET)
        terminal.run(f"head -c 3000 photographs/1/{first}.jpg > studio/inbox/holiday/cut.jpg")
        terminal.wait("it has failed", lambda: len(self._log("job.failed", name="cut")), 1)
        terminal.check("the touched are not told", len(self._log("picture.passed_over")), 1)
        terminal.run("nstd logs --level warning -n 2")
        self._check_once()

    def _sleep(self) -> None:
        terminal, names = self._terminal, self._parts[3]
        terminal.tell("For the night, the machine is needed for something else.")
        morning = self._day.replace(minute=0, second=0, microsecond=0) + timedelta(hours=10)
        hour = f"{morning:%H:%M}"
        terminal.run(f"nstd pause --until {hour} --reason 'the film is rendered tonight'")
        terminal.wait("nothing starts", lambda: len(self._log("starts.paused")), 1)
        terminal.run("cp photographs/4/* studio/inbox/holiday")
        claimed = len(self._log("job.claimed")) + len(names)
        terminal.wait("they are taken in", lambda: len(self._log("job.claimed")), claimed)
        held, first = names[0], names[-1]
        terminal.run(f"nstd hold {held}")
        terminal.run(f"nstd priority {first} 90")
        changed = "both requests are carried out"
        terminal.wait(changed, lambda: len(self._log("job.changed")), 2)
        terminal.run("nstd status | head -16")
        terminal.tell("The power fails, and comes back.")
        terminal.kill(self._daemon, "KILL")
        terminal.run("nstd status | head -3")
        self._daemon = terminal.start_daemon()
        terminal.wait("the pause is still there", lambda: len(self._log("starts.paused")), 2)
        self._set_clock(morning - timedelta(minutes=1))
        time.sleep(QUIET)
        terminal.check("a minute before, nothing has started", len(self._made()), self._done)
        self._set_clock(morning)
        self._wait_for(names[1:])
        order = [line["name"] for line in self._log("job.started")]
        terminal.check(f"{first} was the first", order[-len(names) + 1], first)
        terminal.run("nstd status | head -7")
        terminal.run(f"nstd release {held}")
        self._wait_for([held])
        self._check_once()

    def _make_again(self) -> None:
        terminal, first = self._terminal, self._parts[1][0]
        terminal.tell("One of them once more, and gentler.")
        terminal.run(f"nstd again {first} -o strength=0.3 --name {first}-gentle --wait")
        self._done += 1
        record = self._made()[f"{first}-gentle"]
        strength = record["settings"]["options"]["strength"]
        terminal.check("with its change", strength, 0.3)

    def _look_at_all(self, look: Callable[[Path], None] | None) -> None:
        terminal = self._terminal
        terminal.tell("Is everything whole?")
        terminal.run("nstd verify")
        terminal.run("nstd gallery")
        if look is not None:
            look(self._outbox)

    def _grow_old(self) -> None:
        terminal = self._terminal
        terminal.tell("Five weeks later: failures are kept for 30 days.")
        self._set_clock(self._day + timedelta(days=35))
        terminal.run("nstd expire --dry-run")
        terminal.run("nstd expire")
        terminal.check("the results stay", len(self._made()), self._done)
        terminal.tell("Three months later: results are kept for 90 days.")
        self._set_clock(self._day + timedelta(days=100))
        terminal.run("nstd expire --dry-run | tail -2")
        terminal.run("nstd expire | tail -2")
        terminal.check("no result is left", len(self._made()), 0)
        pictures = len(list(self._folder.glob("*-?.jpg")))
        terminal.check("the photographs are", pictures, sum(map(len, self._parts)))
        terminal.tell("They are not made again, by this daemon or by the next.")
        terminal.kill(self._daemon, "TERM")
        claimed = len(self._log("job.claimed"))
        self._daemon = terminal.start_daemon()
        terminal.wait("it is up", lambda: len(self._log("daemon.started")), 3)
        time.sleep(QUIET)
        terminal.check("nothing was taken in", len(self._log("job.claimed")), claimed)
        terminal.run("nstd verify")
        terminal.run("nstd status")
        terminal.kill(self._daemon, "TERM")

    # What is there

    def _write_recipe(self, style: str, change: str) -> None:
        kept = [each for each in self._options.split() if not each.startswith("backend=")]
        options = "".join(f"{each.replace('=', ': ')}, " for each in kept)
        lines = [f"style: {style}", "output: {size: 128}", f"options: {{{options}{change}}}"]
        lines += [f"backend: {self._backend}"] if self._backend != "gatys" else []
        self._terminal.write("studio/inbox/holiday/recipe.yaml", "\n".join(lines) + "\n")

    def _set_clock(self, when: datetime) -> None:
        self._terminal.tell(f"The clock shows {when:%A, %d %B %Y, %H:%M}.")
        self._terminal.clock.jump(when.timestamp() - time.time())

    def _wait_for(self, names: list[str]) -> None:
        self._done += len(names)
        self._terminal.wait(f"{self._done} are made", lambda: len(self._made()), self._done)

    def _made(self) -> dict[str, Any]:
        """The records of the results, by name."""
        paths = self._outbox.glob("holiday/*/*.json")
        return {path.stem: json.loads(path.read_bytes()) for path in paths}

    def _check_once(self) -> None:
        """No photograph was made twice, whatever it is called."""
        times = Counter(each["inputs"]["content"]["sha256"] for each in self._made().values())
        self._terminal.check("each photograph is made once", set(times.values()), {1})

    def _log(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        return matching(list(self._lines()), event, **fields)

    def _lines(self) -> Iterator[dict[str, Any]]:
        path = self._outbox / "logs" / "nstd.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            yield json.loads(line)
