"""The errors of pydantic in words that people understand without knowing pydantic."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nstd.documents.document import describe
from nstd.errors import clean, printable

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
    "none_required": "nothing",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} in the list",
    "too_long": "at most {max_length} in the list",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
}
"""What was expected, by pydantic's type of error; filled in from the error's context."""

_TOLD = 3
"""The most errors that `in_words` tells."""


def in_words(error: BaseException) -> str:
    """What an error says, on one line; those of pydantic are put in our words."""
    if isinstance(error, ValidationError):
        errors = error.errors(include_url=False)
        told = [_in_words(each) for each in errors[:_TOLD]]
        more = [f"and {len(errors) - _TOLD} more"] if len(errors) > _TOLD else []
        return "; ".join([*told, *more])
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(clean(error).strip())


def _in_words(error: ErrorDetails) -> str:
    if error["type"] == "json_invalid":
        return f"not valid JSON ({error.get('ctx', {}).get('error', 'it was cut off')})"
    where = ".".join(printable(str(step)) for step in error["loc"])
    if error["type"] == "missing":
        return f"missing key '{where}'"
    expected = expected_of(error)
    text = f"expected {expected}, got {describe(error['input'])}" if expected else said_of(error)
    return f"{where}: {text}" if where else text


def expected_of(error: ErrorDetails) -> str:
    """What was expected; an empty string for an error that is not about the kind of value."""
    words = _EXPECTED.get(error["type"], "")
    return words.format_map({key: _number(each) for key, each in error.get("ctx", {}).items()})


def said_of(error: ErrorDetails) -> str:
    """What a validator said, or else pydantic."""
    inner = error.get("ctx", {}).get("error")
    return in_words(inner) if isinstance(inner, BaseException) else printable(error["msg"])


def _number(limit: object) -> object:
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit
