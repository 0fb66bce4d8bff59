"""Numbers and values as a clinician writes them."""

from math import isnan

from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity

_UNITS = {"a": "years", "{score}": "", "{count}": "", "{INR}": ""}
_ALL_DIGITS_FROM = 1000
"""No laboratory writes 1.234e+04, nor rounds ferritin to tens."""
UNITS = {
    name: _UNITS.get(declared.unit, declared.unit)
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Quantity)
}
"""The unit of each quantity in words; empty for pure numbers."""


def label_of(predictor: str) -> str:
    """Return the name of a predictor, or of tumour burden, in words."""
    declared = PREDICTORS.get(predictor)
    return declared.label if declared else "Tumour burden"


def absence_of(predictor: str) -> str:
    """Say that a predictor is missing: a quantity is measured, a plan or a diagnosis is known."""
    is_word = isinstance(PREDICTORS.get(predictor), Category | Flag)
    return f"{label_of(predictor)} not {'known' if is_word else 'measured'}"


def value_in_words(name: str, value: float | str | bool | None) -> str | None:
    """Return a predictor's value as a clinician writes it, None where it is missing."""
    declared = PREDICTORS[name]
    if isinstance(declared, Category):
        return None if value is None or value == "unknown" else str(value).replace("_", " ")
    if value is None or isnan(value):  # type: ignore[arg-type]  # quantities and flags are numbers
        return None
    if isinstance(declared, Flag):
        return "present" if value else "absent"
    return f"{four_digits(float(value))} {UNITS[name]}".rstrip()


def four_digits(number: float) -> str:
    """Return a number with four digits, and all of them before the decimal point."""
    return f"{number:.4g}" if abs(number) < _ALL_DIGITS_FROM else f"{number:.0f}"


_PERCENT = ["<1", *map(str, range(1, 96)), ">95"]
_FREQUENCY = [
    "fewer than 1 of 100 patients like this",
    *(f"about {n} of 100 patients like this" for n in range(1, 96)),
    "more than 95 of 100 patients like this",
]


def percent_in_words(risk: float) -> str:
    """Return a probability as whole percent, without a sign: ``<1`` and ``>95`` at the ends."""
    return _PERCENT[_whole(risk)]


def natural_frequency(risk: float) -> str:
    """Return the risk as a frequency of 100 patients."""
    return _FREQUENCY[_whole(risk)]


def _whole(risk: float) -> int:
    """Return whole percent between the ends, which are 0 and 96."""
    percent = 100 * risk
    if percent < 1:
        return 0
    return 96 if percent > 95 else round(percent)
