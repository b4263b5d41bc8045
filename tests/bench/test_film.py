"""`nstd bench film`: scenes whose motion is known, and what is measured of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("cv2")

from PIL import Image

from nstd.bench.film.measure import came_into_view
from nstd.bench.film.scenes import KnownScene, scenes
from nstd.cli.app import app
from nstd.images.film.flow import warped


def waves(seed: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    """A picture without sharp edges, which is the same after an exact move."""
    rows, columns = np.indices((96, 128), dtype=np.float32)
    planes = [np.sin((columns + rows * way + 9 * seed) / 4) for way in (0.3, -0.7, 1.1)]
    return np.asarray(0.5 + 0.4 * np.stack(planes, 2), np.float32)


SCENES = {scene.name: scene for scene in scenes(waves(0), waves(1), 128, 4)}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_the_motion_of_a_scene_is_the_true_one(scene: KnownScene) -> None:
    """A frame is the one before, moved by it, where that shows it; a cut shows nothing of it."""
    for number in range(1, scene.count):
        flow, visible = scene.motion(number)
        off = np.abs(scene.frames[number] - warped(scene.frames[number - 1], flow)).mean(2)
        if number == scene.cut:
            assert not visible.any()
        else:
            assert visible.mean() > 0.8
            assert off[visible].mean() < 1.2 / 255 + 1.5 * scene.noise


def test_what_came_into_view_is_what_the_first_frame_did_not_show() -> None:
    """On a pan a strip at one side; what a disc uncovers and covers; nothing of a still shot."""
    pan = came_into_view(SCENES["pan"], 0, 3)  # 3.9 pixels to the right, 0.45 down
    assert pan[:, -3:].all()
    assert not pan[:-2, :-5].any()
    disc = came_into_view(SCENES["disc moves"], 0, 3)
    assert 0 < disc[:, 8:-8].mean() < 0.1
    assert not came_into_view(SCENES["still, noisy"], 0, 3).any()


def test_the_figures_of_films_are_printed_or_json(tmp_path: Path) -> None:
    """Each with that of frames alone; sheets and strips are for the eye."""
    out = tmp_path / "out"
    options = ["-o", "steps=10", "--size", "64", "--frames", "4", "--out", str(out)]
    done = CliRunner().invoke(app, ["bench", "film", *options, "--scene", "cut", "--json"])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    assert found["scene"] == "pan with cut"
    assert found["cuts"] == [2]
    assert 0 < found["warp_error"]["film"] < found["warp_error"]["alone"]
    assert found["style_loss_new"]["film"] > 0
    assert found["evaluations"]["film"] < found["evaluations"]["alone"] == 10
    assert {path.name for path in out.iterdir()} == {"pan-with-cut.png", "pan-with-cut-strip.png"}
    with Image.open(out / "pan-with-cut.png") as sheet:
        assert sheet.size == (4 * 64, 3 * 48)
    done = CliRunner().invoke(app, ["bench", "film", *options, "--scene", "zoom"])
    assert done.exit_code == 0, done.output
    assert "zoom, turn" in done.stdout
    assert "warp error" in done.stdout
