"""Each operation of torch on the CPU, with its time, the bytes that it moves, and its work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

PREPARED = "_convolution_pointwise"
"""The operation of `Convolution` with prepared filters, which torch's counter of work lacks."""


@dataclass(frozen=True)
class Operation:
    """One operation: the bytes that it reads and writes, and its floating-point work.

    `shape` is that of its largest tensor, of features if there are any. `in_evaluation` is False
    for work of the optimiser. Of a convolution, `kernel` is the side of its filters, and
    `is_transposed` says whether it computes a gradient.
    """

    name: str
    in_evaluation: bool
    shape: tuple[int, ...]
    seconds: float
    moved: int
    work: int
    is_transposed: bool = False
    kernel: int = 0


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's has no types
    """While it is entered, records every operation of this thread but views."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.in_evaluation = False
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and record it."""
        given = kwargs or {}
        began = time.perf_counter()
        result = func(*args, **given)
        seconds = time.perf_counter() - began
        if not func.is_view:
            self._record(func, args, given, result, seconds)
        return result

    def _record(self, func: Any, args: Any, given: Any, result: Any, seconds: float) -> None:
        tensors = [*_tensors((args, given)), *_tensors(result)]
        count, name = flop_registry.get(func.overloadpacket), func.overloadpacket.__name__
        work = int(count(*args, **given, out_val=result)) if count else 0
        is_convolution, is_transposed = name == "convolution", False
        if name == PREPARED:
            name, is_convolution = "convolution", True
            is_transposed = any(args[3])  # only gradients have padding
            work = 2 * args[1].numel() * min(each[0, 0].numel() for each in (args[0], result))
        elif is_convolution:
            is_transposed = bool(args[6])
        largest = max(tensors, key=_size, default=None)
        self.operations.append(
            Operation(
                name=name,
                in_evaluation=self.in_evaluation,
                shape=() if largest is None else tuple(largest.shape),
                seconds=seconds,
                moved=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
                work=work,
                is_transposed=is_transposed,
                kernel=args[1].shape[-1] if is_convolution else 0,
            )
        )


def _size(tensor: Tensor) -> tuple[bool, int]:
    """The number of elements; what is (1, C, H, W) comes before weights, which may be larger."""
    return tensor.dim() == 4 and tensor.shape[0] == 1, tensor.numel()


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))
