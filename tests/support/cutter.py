"""Records runs of the daemon, and lays down what a power cut would have left of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import powercut
from support.farm import Farm
from support.forge import Forge
from support.powercut import State, cuts


class Cutter:
    """`place` is where the root lies that a cut has left."""

    def __init__(self, farm: Farm) -> None:
        self.place = farm.folder / "cut"
        self._recorder = Forge(farm.seed.environment, powercut.__file__)

    def record(self, root: Path) -> list[tuple[int, State]]:
        """Run the daemon of `root` to its end; what cuts may leave of that."""
        record = root.with_suffix(".record")
        config = root / "config.yaml"
        status, _ = self._recorder.run(config, root=str(root), record=str(record))
        assert status == 0
        return list(cuts(record))

    @contextmanager
    def cut(self, moment: int, state: State) -> Iterator[None]:
        """What a cut has left, laid down; what fails within says which cut it was."""
        state.lay_down(self.place)
        try:
            yield
        except Exception as error:
            raise AssertionError(f"power cut at look {moment}, {state.variant}") from error
        shutil.rmtree(self.place)

    def close(self) -> None:
        """End the recorder."""
        self._recorder.close()
