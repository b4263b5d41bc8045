"""Neural style transfer by optimisation (Gatys, Ecker, Bethge, CVPR 2016), coarse to fine.

The straight line: `engine` reads the task, loads a network (`networks`, `fixed`, `fitted`, `vgg`),
makes an `objective` of its features (`content_term`, `style_term`, `targets`) on each level of a
`pyramid`, and lets `optimise` descend with `lbfgs` or `adam`. This module stays light: torch is
imported by `run`.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from pydantic import BaseModel

from nstd.backend import Report, Result, Task
from nstd.backends.gatys.options import Options

__all__ = ["Gatys", "Options"]


class Gatys:
    """The backend `gatys`: the content's shapes in the style's colours, strokes and textures."""

    name = "gatys"
    Options: type[BaseModel] = Options
    size: int | None = 512
    takes = frozenset({"region", "mask", "init", "series"})

    def __init__(self) -> None:
        self._warm: dict[Any, Any] = {}  # networks that serve more than one job

    def run(self, task: Task, report: Report) -> Result:
        """Make the picture.

        Raises WeightsError where a network's weights are absent or broken, and BackendError
        with the code `out_of_memory`, `device_failed` or `diverged`.
        """
        began = perf_counter()  # a budget counts the import of torch too
        from nstd.backends.gatys.engine import stylize

        return stylize(task, report, self._warm, began)
