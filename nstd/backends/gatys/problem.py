"""Style transfer as a problem to optimise: pictures, a network, and the losses on each level."""

from __future__ import annotations

from torch import Generator, Tensor, rand

from nstd.backend import Task
from nstd.backends.gatys.networks import Network
from nstd.backends.gatys.objective import Objective
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.pyramid import Level, carry, rescale, resize
from nstd.backends.gatys.tensors import to_tensor


class Pictures:
    """The content and the styles of a task as tensors (1, 3, H, W) on its device."""

    def __init__(self, task: Task) -> None:
        self.content = to_tensor(task.content, task.device)
        self._styles = [(to_tensor(style.pixels, task.device), style) for style in task.styles]

    @property
    def all(self) -> list[Tensor]:
        """The content and every style, full size."""
        return [self.content, *(picture for picture, _ in self._styles)]

    def content_at(self, level: Level) -> Tensor:
        """The content at the size of `level`."""
        return resize(self.content, level.height, level.width).clamp(0, 1)

    def styles_at(self, level: Level) -> list[tuple[Tensor, float]]:
        """The styles with their weights, as large as the level times their scale.

        A style smaller than the level counts at its own size times its scale: enlarging it to
        the level would teach blur.
        """
        longest = max(level.height, level.width)
        return [
            (rescale(x, style.scale * min(1.0, longest / max(x.shape[2:]))), style.weight)
            for x, style in self._styles
        ]


class StyleTransfer:
    """The content's shapes and the styles' statistics, as `network` sees them."""

    def __init__(self, network: Network, pictures: Pictures, options: Options) -> None:
        self._network = network
        self._pictures = pictures
        self._options = options

    def objective(self, level: Level) -> Objective:
        """The loss of pictures of that level's size."""
        content, styles = self._pictures.content_at(level), self._pictures.styles_at(level)
        return Objective(self._network, content, styles, self._options)

    def begin(self, level: Level, coarser: tuple[Level, Tensor] | None) -> Tensor:
        """Where the descent on `level` starts, given the level before and its picture."""
        content = self._pictures.content_at(level)
        if coarser is not None:
            before, picture = coarser
            return carry(picture, self._pictures.content_at(before), content)
        if self._options.init == "content":
            return content
        # Drawn on the CPU: the same for a seed on every device.
        generator = Generator().manual_seed(self._options.seed)
        return rand(content.shape, generator=generator).to(content.device)
