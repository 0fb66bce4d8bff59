"""The limits of a quantity in the unit in which it was sent, and in words."""

from decimal import Decimal
from fractions import Fraction

from data_schemas.predictors import Quantity

Limits = tuple[float, float]


def limits_in(declared: Quantity, unit: str, limits: Limits) -> Limits:
    """Convert limits that are declared in the canonical unit to an accepted one.

    0.1 to 25 mg/dL of creatinine are 8.84 to 2210 umol/L (times 88.4).
    """
    rule = declared.conversions[unit]
    low, high = (float((Fraction(str(x)) - rule.offset) / rule.factor) for x in limits)
    return low, high


def limits_in_words(declared: Quantity, unit: str, limits: Limits) -> str:
    """Tell limits in an accepted unit, and in the canonical one beside it if that is another."""
    low, high = limits_in(declared, unit, limits)
    told = f"{in_digits(low)} and {in_digits(high)} {unit}"
    if unit == declared.unit:
        return told
    canonical = " and ".join(map(in_digits, limits))
    return f"{told} ({canonical} {declared.unit})"


def in_digits(number: float) -> str:
    """Write a number with six digits that count, and never as a power of ten."""
    return format(Decimal(f"{number:.6g}"), "f")
