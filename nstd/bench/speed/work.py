"""How many operations an evaluation takes."""

from __future__ import annotations

CONVOLUTIONS = ((2, 64), (2, 128), (4, 256), (4, 512), (1, 512))  # of VGG-19, to relu5_1


def vgg_work(height: int, width: int) -> float:
    """Operations of the convolutions of VGG-19 to relu5_1 in one evaluation, forward and backward.

    The backward pass computes only the gradient of the picture, which costs as much as the forward
    pass.
    """
    pixels, total, into = height * width, 0, 3
    for convolutions, out in CONVOLUTIONS:
        for _ in range(convolutions):
            total += 2 * 9 * into * out * pixels
            into = out
        pixels //= 4
    return 2.0 * total
