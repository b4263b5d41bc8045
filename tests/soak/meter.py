"""How much time each part of the daemon takes, without what it calls of the other parts."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

Clock = Callable[[], float]


class Meter:
    """Seconds by part: of the CPU, which a busy machine does not change, and of the clock."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = defaultdict(float)
        self.wall: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)

    @contextmanager
    def measuring(self, parts: Mapping[str, tuple[type, str]]) -> Iterator[None]:
        """Measure these methods while the body runs."""
        with ExitStack() as stack:
            for part, (owner, name) in parts.items():
                measured = self._measured(part, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, measured))
            yield

    def _measured(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def measured(*arguments: Any, **options: Any) -> Any:
            inside = sum(self.cpu.values()), sum(self.wall.values())
            began = time.process_time(), time.monotonic()
            try:
                return method(*arguments, **options)
            finally:
                # What other parts took meanwhile, called from here, is theirs.
                self.calls[part] += 1
                others = sum(self.cpu.values()) - inside[0], sum(self.wall.values()) - inside[1]
                self.cpu[part] += time.process_time() - began[0] - others[0]
                self.wall[part] += time.monotonic() - began[1] - others[1]

        return measured
