"""The profiles as an SVG: the roof of the machine, and a circle for each stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from nstd.bench.speed.profile_report import roofs
from nstd.bench.speed.roofline import StagePart, by_stage, read_parts

WIDTH, CHART = 640, 390
LEFT, RIGHT, TOP, BOTTOM = 60, 600, 40, 340
LEAST, MOST = 1e-1, 1e4  # operations for each byte
_AREA = 4000.0  # of the circles of a chart together


def roofline_svg(found: Sequence[Mapping[str, Any]]) -> str:
    """The drawing of all profiles, one below the other."""
    from jinja2 import Environment

    source = files(__package__).joinpath("roofline.svg.j2").read_text(encoding="utf-8")
    charts = [_chart(one, CHART * number) for number, one in enumerate(found)]
    template = Environment(autoescape=True, trim_blocks=True).from_string(source)
    return template.render(width=WIDTH, height=CHART * len(charts), charts=charts)


def _chart(one: Mapping[str, Any], top: int) -> dict[str, Any]:
    ceiling, bandwidth = roofs(one)
    high = 10 ** math.ceil(math.log10(ceiling))
    low = high / 1e4
    stages = [part for part in by_stage(read_parts(one)).values() if part.stage]
    total = sum(part.seconds for part in stages)
    edge = ceiling / bandwidth
    corners = ((LEAST, LEAST * bandwidth), (edge, ceiling), (MOST, ceiling))
    return {
        "top": top,
        "title": f"{one['network']}, {one['size']} px, {one['precision']}",
        "across": [{"at": _x(10**power), "label": f"{10**power:g}"} for power in range(-1, 5)],
        "up": [
            {"at": _y(low * 10**power, low, high), "label": f"{low * 10**power / 1e9:g}"}
            for power in range(5)
        ],
        "roof": " ".join(f"{_x(x)},{_y(y, low, high)}" for x, y in corners),
        "dots": [_dot(part, total, low, high) for part in stages],
    }


def _dot(part: StagePart, total: float, low: float, high: float) -> dict[str, Any]:
    speed = part.work / part.seconds
    return {
        "x": _x(part.work / part.moved),
        "y": _y(speed, low, high),
        "r": round(math.sqrt(_AREA * part.seconds / total / math.pi), 1),
        "label": str(part.stage),
        "title": f"stage {part.stage}: {1000 * part.seconds:.1f} ms, {speed / 1e9:.0f} GFLOP/s",
    }


def _x(intensity: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * _share(intensity, LEAST, MOST), 1)


def _y(speed: float, low: float, high: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * _share(speed, low, high), 1)


def _share(value: float, low: float, high: float) -> float:
    """The place of `value` between the ends of a logarithmic axis, within it."""
    return min(1.0, max(0.0, math.log(value / low) / math.log(high / low)))
