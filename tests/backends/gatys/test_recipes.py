"""The defaults that depend on the network and the style loss."""

from __future__ import annotations

from typing import get_args

import pytest

from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.style_losses import STYLE_LOSSES


def test_the_options_name_every_style_loss() -> None:
    """The registry and the options cannot drift apart."""
    named = set(get_args(Options.model_fields["style_loss"].annotation))
    assert named == {"auto", *STYLE_LOSSES}


def test_every_recipe_is_of_a_loss_and_of_layers_that_exist() -> None:
    """A misspelt name would be no default at all."""
    for spec in NETWORKS.values():
        assert spec.style_loss in STYLE_LOSSES
        for name, recipe in spec.recipes.items():
            assert name in STYLE_LOSSES
            assert set(recipe.layer_weights) <= set(spec.layers)


@pytest.mark.parametrize("network", NETWORKS)
def test_presets_differ_only_in_budget(network: str) -> None:
    """More evaluations on every level, all else equal."""
    draft, normal, fine = (
        Options.model_validate({"network": network, "preset": preset})
        for preset in ("draft", "normal", "fine")
    )
    assert draft.recipe == normal.recipe == fine.recipe
    for less, more in ((draft, normal), (normal, fine)):
        assert all(a < b for a, b in zip(less.evaluations, more.evaluations, strict=True))


def test_fitted_is_relative() -> None:
    """With equal weights of all layers."""
    recipe = Options(network="fitted").recipe
    assert (recipe.content_weight, recipe.tv_weight, recipe.relative) == (0.22, 0.5, True)
    assert not recipe.layer_weights


@pytest.mark.parametrize("network", ["vgg19-torchvision", "vgg16"])
def test_vgg_has_crowsons_weights(network: str) -> None:
    """In absolute units, W2 by default; with another loss they are relative."""
    options = Options.model_validate({"network": network})
    recipe = options.recipe
    assert (options.style_loss_used, options.optimizer_used) == ("w2", "adam")
    assert options.evaluations == (1000, 500)
    assert (recipe.content_weight, recipe.tv_weight, recipe.relative) == (0.015, 2.0, False)
    layers, _ = options.layers
    assert [recipe.layer_weights[layer] for layer in layers] == [256, 64, 16, 4, 1]
    assert Options.model_validate({"network": network, "style_loss": "gram"}).recipe.relative


def test_the_original_vgg_has_relative_moments() -> None:
    """And L-BFGS, on a ladder of the root of 2."""
    options = Options(network="vgg19")
    assert (options.style_loss_used, options.optimizer_used) == ("moments", "lbfgs")
    assert (options.spec.per_octave, len(options.evaluations)) == (2, 5)
    assert options.recipe.relative
    assert not options.recipe.layer_weights


def test_weights_that_are_given_count() -> None:
    """Zero included."""
    recipe = Options(network="vgg19", content_weight=0.4, tv_weight=0).recipe
    assert (recipe.content_weight, recipe.tv_weight, recipe.relative) == (0.4, 0, True)
