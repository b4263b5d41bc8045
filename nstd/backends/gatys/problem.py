"""Style transfer as an optimisation problem: pictures, a network, and the losses of each level."""

from __future__ import annotations

from dataclasses import replace

from torch import Generator, Tensor, rand

from nstd.backend import Task
from nstd.backends.gatys.iterate import Evaluate, Point
from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.objective import Objective
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.pyramid import Level
from nstd.backends.gatys.regions import Region, regions
from nstd.backends.gatys.resizing import carry, resize
from nstd.backends.gatys.target_cache import TargetCache
from nstd.backends.gatys.temporal import Memory
from nstd.backends.gatys.tensors import to_tensor


class TaskPictures:
    """The content and the styles of a task as tensors (1, 3, H, W) on its device."""

    def __init__(self, task: Task) -> None:
        self.content = to_tensor(task.content, task.device)
        self._regions = regions(task)
        self._init = None if task.init is None else to_tensor(task.init, task.device)
        self._memory = Memory.of(task)

    @property
    def has_init(self) -> bool:
        """Whether a start picture was given, or is known from earlier frames."""
        return self._init is not None or self._memory is not None

    def memory_at(self, level: Level) -> Memory | None:
        """What is known from earlier frames, at the size of `level`."""
        return None if self._memory is None else self._memory.at(level)

    def content_at(self, level: Level) -> Tensor:
        """The content at the size of `level`."""
        return resize(self.content, level.height, level.width).clamp(0, 1)

    def regions_at(self, level: Level) -> list[Region]:
        """The regions with their styles at the size of `level`."""
        return [region.at(level) for region in self._regions]

    def init_at(self, level: Level) -> Tensor:
        """The start picture: what is known from earlier frames, else the content if none was
        given."""
        given = self.content if self._init is None else self._init
        picture = resize(given, level.height, level.width).clamp(0, 1)
        memory = self.memory_at(level)
        return picture if memory is None else memory.over(picture)


class StyleTransfer:
    """The problem of matching the content's shapes and the styles' statistics, by `network`."""

    def __init__(
        self,
        network: Network,
        pictures: TaskPictures,
        options: Options,
        cache: TargetCache | None = None,
    ) -> None:
        self._network = network
        self._pictures = pictures
        self._options = options
        self._cache = cache

    def objective(self, level: Level) -> Evaluate:
        """The loss of pictures with the size of `level`."""
        objective = Objective(
            self._network,
            self._pictures.content_at(level),
            self._pictures.regions_at(level),
            self._options,
            self._cache,
            self._pictures.memory_at(level),
        )
        return _grey(objective) if self._options.colors == "luminance" else objective

    def begin(self, level: Level, coarser: tuple[Level, Tensor] | None) -> Tensor:
        """The start picture of `level`, given the level before and its picture."""
        ground = self._ground(level)
        if coarser is not None:
            before, picture = coarser
            return carry(picture, self._ground(before), ground)
        return self._noise(level) if self._is_noise else ground

    @property
    def _is_noise(self) -> bool:
        return self._options.init == "noise" and not self._pictures.has_init

    def _ground(self, level: Level) -> Tensor:
        """The picture that changes are relative to: the start picture, or black for noise."""
        if self._is_noise:
            return self._pictures.content.new_zeros(1, 3, level.height, level.width)
        return self._pictures.init_at(level)

    def _noise(self, level: Level) -> Tensor:
        """Noise, made on the CPU, so that a seed gives the same on every device."""
        generator = Generator().manual_seed(self._options.seed)
        channels = 1 if self._options.colors == "luminance" else 3
        noise = rand(1, channels, level.height, level.width, generator=generator)
        return noise.expand(1, 3, -1, -1).to(self._pictures.content.device)


def _grey(objective: Evaluate) -> Evaluate:
    """`objective` restricted to grey pictures: its gradient is grey too."""

    def evaluate(x: Tensor) -> Point:
        point = objective(x)
        mean = point.gradient.mean(1, keepdim=True)
        return replace(point, gradient=mean.expand_as(x).contiguous())

    return evaluate
