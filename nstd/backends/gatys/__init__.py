"""Neural style transfer by optimisation (Gatys, Ecker, Bethge, CVPR 2016), coarse to fine.

How the modules work together: `engine` reads the task, loads a network (`networks`, `fixed`,
`student`, `fitted`, `vgg`, `torchvision_network`), makes an `objective` of its features
(`content_term`, `style_term`, `targets`) on each level of a `pyramid`, and `optimise` minimises it
with `lbfgs` or `adam`.
Importing this module is fast: torch is imported by `run`.
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
    takes = frozenset({"region", "mask", "init", "series", "earlier"})

    def __init__(self) -> None:
        self._warm: dict[Any, Any] = {}  # the network of the last job

    def run(self, task: Task, report: Report) -> Result:
        """Make the picture.

        Raises WeightsError when a network's weights are absent or corrupt, and BackendError
        with the code `out_of_memory`, `device_failed` or `diverged`.
        """
        began = perf_counter()  # the budget includes the import of torch
        from nstd.backends.gatys.engine import stylize

        return stylize(task, report, self._warm, began)
