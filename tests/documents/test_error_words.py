"""What pydantic finds is told in words that need no knowledge of pydantic."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from nstd.documents.document import no_space
from nstd.documents.error_words import in_words
from nstd.documents.number_advice import advice_on_number


class Inner(BaseModel):
    """A model that another one uses in its validator."""

    tones: int = Field(4, ge=2)


def _checked(value: str) -> str:
    Inner.model_validate({"tones": 1})
    return value


class Options(Inner):
    """Options of a plug-in."""

    name: Annotated[str, AfterValidator(_checked)] = "x"
    when: float = 0.0
    missing: bool


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"missing": true, "tones": "many"}', "tones: expected a whole number, got 'many'"),
        ('{"missing": true, "tones": 1}', "tones: expected at least 2, got 1"),
        ('{"missing": true, "name": "a"}', "name.tones: expected at least 2, got 1"),
        ("{}", "missing key 'missing'"),
        ('{"tones": 1, "when": "x"}', "tones: expected at least 2, got 1; when: expected a number"),
        ('{"tones', "not valid JSON ("),
    ],
)
def test_errors_of_models_are_told_on_one_line(text: str, words: str) -> None:
    """With the key, what was expected and what came; also those that a validator let through."""
    with pytest.raises(ValidationError) as caught:
        Options.model_validate_json(text)
    told = in_words(caught.value)
    assert told.startswith(words)
    assert "validation error" not in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0,7", "; write 0.7, with a point"),
        ("-1,25", "; write -1.25, with a point"),
        ("70%", "; write 0.7"),
        ("12,5 %", "; write 0.125"),
        ("512px", "; write 512"),
        ("7", "; write 7, without quotes"),
        ("0.5,0.7", "; several values are a list, which makes a job of each: [0.5, 0.7]"),
        ("much", ""),
        ("", ""),
    ],
)
def test_what_is_nearly_a_number_gets_advice(text: str, advice: str) -> None:
    """As people write it in their language."""
    assert advice_on_number(text, is_whole=False, takes_list=True) == advice


def test_a_whole_number_has_no_point_and_not_every_number_may_be_a_list() -> None:
    """What is advised has to work."""
    assert advice_on_number("3,7", is_whole=True, takes_list=True).endswith("each: [3, 7]")
    assert advice_on_number("3,7", is_whole=True, takes_list=False) == ""


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("size:512", "; write a space after the colon: `size: 512`"),
        ("http://x", ""),
        ("a: b", ""),
        ("x", ""),
        ("12:30", ""),
    ],
)
def test_a_colon_without_a_space_is_seen(text: str, advice: str) -> None:
    """But none in an address or a time."""
    assert no_space(text) == advice
