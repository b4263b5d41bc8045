"""Real distributions for tests: a module and its metadata, as pip would have laid them down."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

BACKEND = """
from pydantic import BaseModel, ConfigDict

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    strength: float = 1.0

class Fake:
    '''A backend that gives the content back.'''

    name = "{name}"
    size = None
    Options = Options

    def run(self, task, report):
        return task.content
"""


def install(
    site: Path,
    name: str,
    source: str = BACKEND,
    *,
    before: str = "",
    distribution: str = "",
    entry: str = "",
    attribute: str = "Fake",
) -> Path:
    """Install a distribution with one backend called `name` in `site`; gives its dist-info.

    `source` is the module's text, `{name}` in it the backend's name; `before` runs first when
    it is imported. `entry` is the entry point's name where it is not the backend's.
    """
    distribution = distribution or f"nstd-{name}"
    module = distribution.replace("-", "_") + "_module"
    text = dedent(before) + "\n" + dedent(source).replace("{name}", name)
    (site / f"{module}.py").write_text(text)
    lines = f"[nstd.backends]\n{entry or name} = {module}:{attribute}\n"
    return metadata(site, distribution, lines)


def metadata(site: Path, distribution: str, entry_points: str) -> Path:
    """Lay down the dist-info of a distribution, version 1.0, and give its path."""
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return info
