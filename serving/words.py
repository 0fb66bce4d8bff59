"""Numbers and values as a clinician writes them."""

from math import isnan

from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity

_UNITS = {"a": "years", "{score}": "", "{count}": "", "{INR}": ""}
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


def value_in_words(name: str, value: float | str | bool | None) -> str | None:
    """Return a predictor's value as a clinician writes it, None where it is missing."""
    declared = PREDICTORS[name]
    if isinstance(declared, Category):
        return None if value is None or value == "unknown" else str(value).replace("_", " ")
    if value is None or isnan(value):  # type: ignore[arg-type]  # quantities and flags are numbers
        return None
    if isinstance(declared, Flag):
        return "present" if value else "absent"
    return f"{float(value):.4g} {UNITS[name]}".rstrip()


def percent_in_words(risk: float) -> str:
    """Return a probability as whole percent, without a sign: ``<1`` and ``>95`` at the ends."""
    percent = 100 * risk
    if percent < 1:
        return "<1"
    return ">95" if percent > 95 else f"{percent:.0f}"


def natural_frequency(risk: float) -> str:
    """Return the risk as a frequency of 100 patients."""
    percent = 100 * risk
    if percent < 1:
        return "fewer than 1 of 100 patients like this"
    if percent > 95:
        return "more than 95 of 100 patients like this"
    return f"about {percent:.0f} of 100 patients like this"
