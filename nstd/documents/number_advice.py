"""What to write instead of a text that was meant as a number, such as `0,7` or `70%`."""

from __future__ import annotations

import re

_COMMA = re.compile(r"[-+]?\d*,\d+")
_PERCENT = re.compile(r"([-+]?\d+(?:[.,]\d+)?) ?%")
_PIXELS = re.compile(r"(\d+) ?(?:px|pixels?)", re.IGNORECASE)
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_PLAIN = re.compile(_NUMBER)
_SEVERAL = re.compile(rf"{_NUMBER}(?: *, *{_NUMBER})+")


def advice_on_number(text: str, *, is_whole: bool, takes_list: bool) -> str:
    """What to write instead, as the end of a message; an empty string if nothing is recognised.

    `is_whole`: a whole number is expected. With `takes_list`, a list of numbers may be written.
    """
    said = text.strip()
    if match := _PERCENT.fullmatch(said):
        return f"; write {float(match[1].replace(',', '.')) / 100:g}"
    if match := _PIXELS.fullmatch(said):
        return f"; write {match[1]}"
    if _PLAIN.fullmatch(said):
        return f"; write {said}, without quotes"
    if _COMMA.fullmatch(said) and not is_whole:
        return f"; write {said.replace(',', '.')}, with a point"
    if _SEVERAL.fullmatch(said) and takes_list:
        numbers = ", ".join(re.findall(_NUMBER, said))
        return f"; several values are a list, which makes a job of each: [{numbers}]"
    return ""
