"""Colours of the result: changes of the pictures before and after the transfer.

L. Gatys, M. Bethge, A. Hertzmann, E. Shechtman: "Preserving Color in Neural Artistic Style
Transfer", 2016: luminance-only transfer, and colour matching of the style; both are based on
A. Hertzmann et al., "Image Analogies", SIGGRAPH 2001. Pixels are (H, W, 3) sRGB in [0, 1]; a
palette has the colours of some pixels, (N, 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nstd.backend import Style, Task
from nstd.backends.gatys.regions import grouped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nstd.backend import Mask, Pixels
    from nstd.backends.gatys.options import Options

    Array = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Y of YIQ
GRAIN = 1e-4  # variance added to every picture, so that a plain one can be matched
TABLE = 1 << 16  # the most colours of a palette used for its histogram


def toned(task: Task) -> Task:
    """`task` with grey pictures, if the transfer ignores chroma."""
    if task.options.colors != "luminance":
        return task
    return replace(
        task,
        content=grey(task.content),
        styles=tuple(replace(style, pixels=grey(style.pixels)) for style in task.styles),
        init=None if task.init is None else grey(task.init),
        series=tuple(grey(picture) for picture in task.series),
        earlier=tuple(replace(each, pixels=grey(each.pixels)) for each in task.earlier),
    )


def before(task: Task) -> Task:
    """`task` with the pictures in the colours that the transfer uses."""
    seen = _seen(task)
    if task.options.colors == "style":
        return replace(task, content=recolored(task.content, task.styles, _amount(task), seen))
    task = toned(task)
    match = histogram_matched if task.options.colors == "histogram" else matched
    return replace(task, styles=tuple(_like(_seen(task), style, match) for style in task.styles))


def common(task: Task) -> Task:
    """`task` with its series in the colours to which the network is fitted, the same for each job.

    The regions of this content are not used for the pictures of the series; in a film, neither are
    the weights and the strength, which may change from frame to frame.
    """
    task = toned(task)
    if task.options.colors != "style":
        return task
    styles = [replace(style, region=None) for style in task.styles]
    amount = _amount(task)
    if task.film:
        styles = [replace(style, weight=1.0) for style in styles]
        amount = float(task.options.spec.recolors)
    seen = _seen(task) if task.film else ()
    return replace(task, series=tuple(recolored(x, styles, amount, seen) for x in task.series))


def recolored(
    content: Pixels, styles: Sequence[Style], amount: float, seen: Sequence[Pixels] = ()
) -> Pixels:
    """`content` with the palette of `styles`, each in its region; `amount` 0 changes nothing.

    Then the content term keeps shapes, but not colours that the styles do not have; such colours
    would make the result look like a photograph. `seen` are the pictures whose palette is mapped to
    that of the styles, if it is not that of `content` alone.
    """
    result = content
    for where, group in grouped(styles) if amount else ():
        moved = matched(content, _palette(seen or (content,), where), _mixture(group))
        share = amount if where is None else amount * where[..., None]
        result = result + share * (moved - content)
    return np.asarray(result.clip(0, 1), np.float32)


def after(task: Task) -> Callable[[Pixels], Pixels]:
    """A function that turns a picture of the transfer, of any size, into the result of `task`."""
    if task.options.colors == "luminance":
        return partial(with_chroma, content=task.content)
    return lambda pixels: pixels


def luma(pixels: Pixels) -> Array:
    """The brightness of `pixels` as (H, W, 1), in [0, 1]."""
    brightness: Array = pixels @ LUMA
    return brightness[..., None]


def grey(pixels: Pixels) -> Pixels:
    """`pixels` without chroma."""
    return np.repeat(luma(pixels), 3, axis=2)


def with_chroma(pixels: Pixels, content: Pixels) -> Pixels:
    """The luma of `pixels` with the chroma of `content`, exactly.

    Where the two together are outside sRGB, the luma is changed to the nearest possible one; it
    exists, because `content` is inside sRGB. For a smaller picture, such as a preview, the chroma
    is that of the nearest pixels.
    """
    chroma = _nearest(content - luma(content), *pixels.shape[:2])
    lowest, highest = -chroma.min(2, keepdims=True), 1 - chroma.max(2, keepdims=True)
    result: Pixels = (np.clip(luma(pixels), lowest, highest) + chroma).clip(0, 1)
    return result


def matched(pixels: Pixels, source: Array, target: Array) -> Pixels:
    """`pixels` mapped so that the palette `source` gets the mean and covariance of `target`.

    The linear map is T^(1/2) S^(-1/2), with the square roots of the covariances, as in Image
    Analogies; Gatys et al. (2016) prefer its results to those of the Cholesky factors.
    """
    flow = _root(target, 0.5) @ _root(source, -0.5)
    result = (pixels - source.mean(0)) @ flow.T + target.mean(0)
    return np.asarray(result.clip(0, 1), np.float32)


def histogram_matched(pixels: Pixels, source: Array, target: Array) -> Pixels:
    """As `matched`, and then matched to the histograms of `target` along its principal axes.

    Matching red, green and blue separately would make new hues, because they are correlated.
    """
    pixels, source = matched(pixels, source, target), matched(source, source, target)
    _, axes = np.linalg.eigh(_covariance(target))
    planes = [
        _ranked(pixels @ axis, np.sort(source @ axis), np.sort(target @ axis)) for axis in axes.T
    ]
    result = np.stack(planes, axis=-1) @ axes.T
    return np.asarray(result.clip(0, 1), np.float32)


def _like(
    contents: Sequence[Pixels], style: Style, match: Callable[[Pixels, Array, Array], Pixels]
) -> Style:
    """`style` in the colours of the part of `contents` where it applies."""
    source, target = _inside(style.pixels, style.mask), _palette(contents, style.region)
    return replace(style, pixels=match(style.pixels, source, target))


def _seen(task: Task) -> tuple[Pixels, ...]:
    """The pictures that give the content's palette: in a film, so that colours do not change from
    frame to frame, a sample of all frames."""
    return (task.film and task.series) or (task.content,)


def _palette(contents: Sequence[Pixels], region: Mask | None) -> Array:
    """The colours of `contents` inside `region`; of several, as many of each."""
    if len(contents) == 1:
        return _inside(contents[0], _fitting(region, contents[0]))
    palettes = [_inside(each, _fitting(region, each)) for each in contents]
    return np.concatenate([palette[:: len(palette) // TABLE + 1] for palette in palettes])


def _fitting(region: Mask | None, pixels: Pixels) -> Mask | None:
    """`region` at the size of `pixels`: a sample of frames may be smaller than the content."""
    return None if region is None else _nearest(region, *pixels.shape[:2])


def _inside(pixels: Pixels, mask: Mask | None) -> Array:
    """The colours inside `mask`; all colours if the mask is black."""
    inside = None if mask is None else pixels[mask > 0.5]
    return pixels.reshape(-1, 3) if inside is None or not inside.size else inside


def _mixture(styles: Sequence[Style]) -> Array:
    """The palettes of `styles` in proportion to their weights."""
    total = sum(style.weight for style in styles)
    palettes = [_inside(style.pixels, style.mask) for style in styles]
    counts = [max(1, round(TABLE * style.weight / total)) for style in styles]
    picked = [
        palette[np.linspace(0, len(palette) - 1, count).astype(int)]
        for palette, count in zip(palettes, counts, strict=True)
    ]
    return np.concatenate(picked)


def _amount(task: Task) -> float:
    """The amount of recolouring, in [0, 1]: 1 from half strength on."""
    options: Options = task.options
    return min(1.0, 2 * options.strength) if options.spec.recolors else 0.0


def _covariance(palette: Array) -> NDArray[np.float64]:
    centred = palette - palette.mean(0)
    covariance = (centred.T @ centred).astype(np.float64) / len(palette)
    return np.asarray(covariance + GRAIN * np.eye(3))


def _root(palette: Array, power: float) -> NDArray[np.float64]:
    """The covariance of `palette`, (3, 3), to the power `power`."""
    values, vectors = np.linalg.eigh(_covariance(palette))
    return np.asarray((vectors * values.clip(GRAIN / 2) ** power) @ vectors.T)


def _ranked(values: Array, source: Array, target: Array) -> Array:
    """The values of `target` with the ranks that `values` have in `source`; both are sorted.

    Equal values get their middle rank, so that a plain picture gets the median.
    """
    source = source[:: len(source) // TABLE + 1]
    ranks = (np.searchsorted(source, values) + np.searchsorted(source, values, "right")) / 2
    positions = np.linspace(0, 1, len(target))
    return np.interp(ranks / len(source), positions, target).astype(np.float32)


def _nearest(pixels: Array, height: int, width: int) -> Array:
    """`pixels` at another size, without interpolation."""
    rows = (np.arange(height) + 0.5) * pixels.shape[0] / height
    columns = (np.arange(width) + 0.5) * pixels.shape[1] / width
    found: Array = pixels[rows.astype(int)[:, None], columns.astype(int)]
    return found
