"""What to send instead of a value that cannot be read; the value itself is never repeated."""

import re
from math import isfinite

from data_schemas.predictors import REQUIRED, Category, Quantity
from data_schemas.word_spellings import TRADE_NAMES, folded

BELOW_DETECTION = (
    "of a result below the detection limit, which a laboratory writes with <, send half of the "
    "limit as the number"
)
"""What a cohort's "<5" counts as; of one patient the sender decides so, and knows it."""

ABOVE_MEASURED = (
    "of a result above what the assay measures, which a laboratory writes with >, send the limit "
    "as the number"
)

_WHAT_WAS_MEASURED = (
    "write what was measured, without < or >, or leave it out: a limit stands only for what an "
    "assay cannot measure"
)
_WITHOUT_SIGN = {"ldh_uln": "write the limit itself, without < or >"}

DECIMAL_POINT = "write a decimal point and no thousands separator, a comma may mean either"
COMMA_IN_NUMBER = re.compile(r"\d,\d")
OTHER_NAMES = f"a product is also known by its trade name ({TRADE_NAMES}) or short name, as axi-cel"
LEAVE_OUT = "leave the field out where it is not known"

_NUMBER = "the value must be a finite number"
_LONGEST_LOOKED_AT = 40
_UNKNOWN = "unknown"


def what_is_no_quantity(given: object) -> str:
    """Return why something cannot be read as a quantity, and what to do instead."""
    message = "send an object with value and unit"
    return f"{message}; {LEAVE_OUT}" if given == _UNKNOWN else message


def without_sign(name: str) -> str:
    """Return what to write instead of "<4" or ">4" of a quantity that no assay limits."""
    return _WITHOUT_SIGN.get(name, _WHAT_WAS_MEASURED)


def what_is_no_number(name: str, value: object, declared: Quantity) -> str:
    """Return why a quantity's value cannot be read, and what can."""
    if not isinstance(value, str):
        return _NUMBER
    text, said = value[:_LONGEST_LOOKED_AT].strip(), [_NUMBER]
    if text.startswith("<"):
        said.append(BELOW_DETECTION if declared.has_detection_limit else without_sign(name))
    if text.startswith(">"):
        said.append(ABOVE_MEASURED if declared.has_largest_result else without_sign(name))
    if COMMA_IN_NUMBER.search(text):
        said.append(DECIMAL_POINT)
    if text == _UNKNOWN:
        said.append(LEAVE_OUT)
    if _is_written_number(text):
        said.append("send it without quotation marks")
    return "; ".join(said)


def what_is_no_choice(name: str, given: object, declared: Category) -> str:
    """Return why a category's word cannot be read, and what to do instead."""
    said = ["must be one of the accepted words"]
    if name == "product":
        said.append(OTHER_NAMES)
    can_be_left_out = name not in REQUIRED and _UNKNOWN not in declared.choices
    if (
        can_be_left_out
        and isinstance(given, str)
        and folded(given[:_LONGEST_LOOKED_AT]) == _UNKNOWN
    ):
        said.append(LEAVE_OUT)
    return "; ".join(said)


def _is_written_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
