"""Units of measurement: exact factors, one spelling each, one column suffix each.

Codes are UCUM (https://ucum.org).
A factor turns an accepted unit into the predictor's canonical unit; it is kept as an exact
fraction, and a value is read as the decimal that was written, so that 8.41 mg/dL and 84.1 mg/L are
the same number and not merely close.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

PURE_NUMBERS = frozenset({"{INR}", "{ratio}", "{score}", "{count}"})

LARGEST = 1e300
"""No number of this size or more is read: a conversion could carry it beyond what floats hold."""

# Spellings that laboratories send and UCUM does not know. Matched after lower-casing, removing
# blanks and writing both micro signs as "u", so "10^3 / µL" and "10^3/ul" are one entry.
_SPELLINGS = {
    "ug/l": "ug/L",
    "umol/l": "umol/L",
    "ukat/l": "ukat/L",
    "iu/l": "[IU]/L",
    "mg/dl": "mg/dL",
    "10^9/l": "10*9/L",
    "x10^9/l": "10*9/L",
    "10e9/l": "10*9/L",
    "x10e9/l": "10*9/L",
    "g/l(platelets)": "10*9/L",
    "gpt/l": "10*9/L",
    "k/ul": "10*3/uL",
    "10^3/ul": "10*3/uL",
    "10^3/mm3": "10*3/mm3",
    "k/mm3": "10*3/mm3",
    "x10^3/ul": "10*3/uL",
    "thou/ul": "10*3/uL",
    "/ul": "/uL",
    "cells/ul": "{cells}/uL",
    "mmhg": "mm[Hg]",
    "°c": "Cel",
    "c": "Cel",
    "celsius": "Cel",
    "°f": "[degF]",
    "f": "[degF]",
    "fahrenheit": "[degF]",
    "year": "a",
    "years": "a",
    "y": "a",
    "yr": "a",
    "yrs": "a",
    "month": "mo",
    "months": "mo",
    "day": "d",
    "days": "d",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "in": "[in_i]",
    "inch": "[in_i]",
    "percent": "%",
    "cm^2": "cm2",
    "cm²": "cm2",
    "mm^2": "mm2",
    "mm²": "mm2",
    "cc": "cm3",
    "cm^3": "cm3",
    "cm³": "cm3",
    "ml": "mL",
    "mg/m^2": "mg/m2",
    "mg/m²": "mg/m2",
    "g/m²": "g/m2",
    "kg/m²": "kg/m2",
    "score": "{score}",
    "points": "{score}",
    "count": "{count}",
    "ratio": "{ratio}",
    "inr": "{INR}",
}

# Column suffixes that the general rule of `column_suffix` would make unreadable.
_SUFFIXES = {
    "%": "pct",
    "1": "fraction",
    "a": "years",
    "mo": "months",
    "d": "days",
    "/uL": "per_ul",
    "{#}/uL": "count_per_ul",
    "mL/min/{1.73_m2}": "ml_min_173",
    "[degF]": "degf",
    "Cel": "c",
    "[lb_av]": "lb",
    "[in_i]": "in",
    "mm[Hg]": "mmhg",
    "mg/L{FEU}": "mg_l_feu",
    "mg/L{DDU}": "mg_l_ddu",
    "ug/L{FEU}": "ug_l_feu",
    "ug/L{DDU}": "ug_l_ddu",
    "ug/mL{FEU}": "ug_ml_feu",
    "ng/mL{FEU}": "ng_ml_feu",
    "ng/mL{DDU}": "ng_ml_ddu",
    "mg{FEU}/L": "mg_feu_l",
}


@dataclass(frozen=True)
class Conversion:
    """``canonical = value * factor + offset``, both exact fractions."""

    factor: Fraction
    offset: Fraction = Fraction(0)

    def __call__(self, value: float) -> float:
        """Convert one value, rounding once, at the end."""
        written = str(value)
        whole, _, decimals = written.partition(".")
        if not (decimals.isdecimal() or decimals == "") or "e" in whole:
            return float(Fraction(written) * self.factor + self.offset)
        # The same fraction in whole numbers: their quotient is rounded once, and correctly.
        slope, constant, divisor = self._whole_numbers
        tens = 10 ** len(decimals)
        return (int(whole + decimals) * slope + constant * tens) / (divisor * tens)

    @cached_property
    def _whole_numbers(self) -> tuple[int, int, int]:
        divisor = lcm(self.factor.denominator, self.offset.denominator)
        return int(self.factor * divisor), int(self.offset * divisor), divisor


IDENTITY = Conversion(Fraction(1))

_NUMBER = r"(\d+(?:\.\d+)?)"
_RATIO = re.compile(rf"{_NUMBER}(?:/{_NUMBER})?")
_AFFINE = re.compile(rf"\(x-{_NUMBER}\)/{_NUMBER}")
_MICRO = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})


def conversion(rule: str) -> Conversion:
    """Read a factor as it is written in the contract: ``"10"``, ``"0.001"`` or ``"1/88.4"``.

    The one affine rule, degrees Fahrenheit, is written ``"(x-32)/1.8"``.

    Raises
    ------
    ValueError
        If the rule is none of these, or the factor is not positive.
    """
    affine = _AFFINE.fullmatch(rule)
    found = affine or _RATIO.fullmatch(rule)
    if found is None:
        raise ValueError(f"not a unit rule: {rule!r}")
    first, divisor = Fraction(found[1]), Fraction(found[2] or 1)
    if not divisor or not (affine or first):
        raise ValueError(f"a unit factor must be positive: {rule!r}")
    return Conversion(1 / divisor, -first / divisor) if affine else Conversion(first / divisor)


def normalise_unit(spelling: str) -> str:
    """Return the UCUM code for a spelling; unknown ones lose blanks and micro signs only."""
    compact = re.sub(r"\s+", "", spelling).translate(_MICRO)
    return _SPELLINGS.get(compact.lower(), compact)


def column_suffix(unit: str) -> str:
    """Return the suffix of a cohort column in this unit: ``mg/dL`` gives ``mg_dl``.

    Pure numbers (scores, counts, ratios) have no suffix.
    """
    if unit in PURE_NUMBERS:
        return ""
    if unit in _SUFFIXES:
        return _SUFFIXES[unit]
    bare = unit.replace("*", "e").replace("/", "_").lower()
    return re.sub(r"[^a-z0-9_]", "", bare)
