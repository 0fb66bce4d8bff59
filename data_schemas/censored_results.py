"""Results beyond what a laboratory measures: ``<5`` and ``>15000`` in a column of numbers."""

from dataclasses import dataclass

import pandas as pd

from data_schemas.predictors import Declared, Quantity

_SIGNED = r"^(<=|>=|[<>≤≥])\s*(\S.*)$"
_BELOW, _ABOVE = ("<", "<=", "≤"), (">", ">=", "≥")


@dataclass(frozen=True)
class WrittenNumbers:
    """A column of texts as numbers, of shape (n_patients,), and what became of those with a sign.

    Of a result below the detection limit half of the limit is used, of any other one the limit.
    """

    values: pd.Series
    """NaN where there is no number, or a sign that the quantity cannot have."""
    halved: pd.Series
    limited: pd.Series
    signed: pd.Series
    """Written with a sign, whether it was read or not."""

    def in_words(self) -> list[str]:
        """Say how many limits were used, and how."""
        counts = {
            "censored, half the limit used": self.halved,
            "censored, the limit used": self.limited,
        }
        return [f"{int(rows.sum())} {used}" for used, rows in counts.items() if rows.any()]


def written_numbers(text: pd.Series, declared: Declared | None) -> WrittenNumbers:
    """Read a column of texts, ``declared`` as a quantity or, as grades are, as none."""
    parts = text.str.extract(_SIGNED)
    sign = parts[0].fillna("")
    measured = declared if isinstance(declared, Quantity) else None
    below = sign.isin(_BELOW) & (measured is not None and measured.has_detection_limit)
    above = sign.isin(_ABOVE) & (measured is not None and measured.has_largest_result)
    bare = parts[1].where(below | above, text)
    limits = pd.to_numeric(bare, errors="coerce").astype(float)
    halved = below & sign.eq("<") & limits.notna()
    return WrittenNumbers(
        values=limits.where(~halved, limits / 2),
        halved=halved,
        limited=(below | above) & ~halved & limits.notna(),
        signed=sign.ne(""),
    )
