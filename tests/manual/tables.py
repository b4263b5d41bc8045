"""The tables of the manual that come from the code: `python tests/manual/tables.py` renews them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nstd.backends.gatys.networks import NETWORKS, OWN
from nstd.cli.app import EXIT_CODES
from nstd.errors import CODES
from nstd.logs.events import EVENTS

MANUAL = Path(__file__).parents[2] / "nstd" / "manual"


def events() -> str:
    """Every log event with its level, its fields and its meaning."""
    rows = [
        (f"`{name}`", event.level, _fields(event.fields), event.meaning)
        for name, event in EVENTS.items()
    ]
    return _table(("event", "level", "fields", "meaning"), rows)


def errors() -> str:
    """Every error code, whether a job is tried again after it, and its meaning."""
    rows = [
        (f"`{code}`", "yes" if entry.retryable else "no", entry.meaning)
        for code, entry in CODES.items()
    ]
    return _table(("code", "tried again", "meaning"), rows)


def exits() -> str:
    """Every exit code of the command."""
    rows = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    return _table(("exit code", "meaning"), rows)


def networks() -> str:
    """Every network that the backend gatys builds itself, with its defaults."""
    rows = [
        (
            f"`{name}`",
            f"`{spec.style_loss}`",
            f"`{spec.optimizer}`",
            f"{spec.usual.content_weight:g}",
            f"{spec.usual.tv_weight:g}",
            "2" if spec.per_octave == 1 else "√2",
            *(", ".join(map(str, budget)) for budget in spec.budgets.values()),
        )
        for name, spec in OWN.items()
    ]
    presets = next(iter(OWN.values())).budgets
    head = ("network", "style_loss", "optimizer", "content_weight", "tv_weight", "level", *presets)
    return _table(head, rows)


def torchvision() -> str:
    """The networks of torchvision with the layers that are compared by default."""
    rows = [
        (f"`{name}`", *(", ".join(layers) for layers in (spec.content_layers, spec.style_layers)))
        for name, spec in NETWORKS.items()
        if name not in OWN
    ]
    return _table(("network", "content layer", "style layers"), rows)


TABLES = {
    ("log", "events"): events,
    ("log", "errors"): errors,
    ("commands", "exits"): exits,
    ("styles", "networks"): networks,
    ("styles", "torchvision"): torchvision,
}
"""Each table, by the page in which it stands and the name in its marks."""


def renewed(text: str, name: str, table: str) -> str:
    """`text` with `table` between the marks of that name."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda mark: mark[1] + table + mark[2], text)


def _fields(fields: str) -> str:
    return " ".join(
        f"`{field}`" if field[0] != "[" else f"[`{field[1:-1]}`]" for field in fields.split()
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for (page, name), render in TABLES.items():
        path = MANUAL / f"{page}.md"
        path.write_text(renewed(path.read_text(), name, render()))
