"""A column that may stand in another unit than its name says, and what would explain its values.

A wrong unit often passes the hard limits: CRP in mg/dL is a small CRP in mg/L. Such a column is
not refused, since a centre's patients may differ from those who were published; it is pointed out.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.quantity_limits import limits_in, limits_in_words
from data_schemas.typical_values import burden_measures, typical_value, typical_values
from data_schemas.units import PURE_NUMBERS

FEWEST_VALUES = 10
"""A column with fewer known values is not judged: chance moves their median, and little hides
whose they are."""

UNLIKELY_SHARE = 0.10
"""The soft limits are meant to hold nearly every patient before CAR-T infusion."""

LEAST_FACTOR = 10.0
"""Lesser factors between units are not told from centres that differ: with two thirds of a factor
of ten, on the log scale, medians of CRP and ferritin are one spread of a patient from the typical
one."""

_POWERS_OF_TEN = (0.001, 0.01, 0.1, 10.0, 100.0, 1000.0)
_SPREADS_IN_TEN = 3
_NEARLY_ALL = 0.90
_SAME_SIZE = math.log(10.0) + 1e-9
_CODES = (999.0, 9999.0, 99999.0, 999999.0)
"""What tables hold for a value that is missing, beyond every hard limit or not."""
_ONE_SIDED = re.compile(r"^$|\b(above|below)\b")
_SHARES = {0.9: "nine tenths", 0.5: "half", 0.25: "a quarter", UNLIKELY_SHARE: "a tenth"}


@dataclass(frozen=True)
class Sent:
    """A quantity as a cohort sent it; values are of shape (n_patients,), NaN where missing."""

    name: str
    declared: Quantity
    column: str
    values: pd.Series
    """In the unit that the column's name says."""
    canonical: pd.Series

    @property
    def unit(self) -> str:
        """The unit that the column's name says."""
        return self.declared.columns(self.name)[self.column]

    def other_columns(self) -> dict[str, str]:
        """Return the columns for units in which the values would be others, with their unit."""
        conversions = self.declared.conversions
        seen, others = {conversions[self.unit]}, {}
        for column, unit in self.declared.columns(self.name).items():
            if conversions[unit] not in seen:
                seen.add(conversions[unit])
                others[column] = unit
        return others

    def usual_elsewhere(self, rows: pd.Series) -> dict[str, str]:
        """Return the columns, with their unit, in which nearly all values of these rows are usual.

        Of the units in which they are possible those alone are looked at whose factor is smallest,
        or up to ten times as much: CRP in mg/L is none in ug/L because some of it is high.

        Parameters
        ----------
        rows
            True for each row that is meant.
        """
        values = self.values[rows & ~_is_code(self.values, rows)]
        possible = self._holding(values, self.other_columns(), self.declared.hard)
        least = min(map(self._distance, possible.values()), default=0.0)
        near = {c: u for c, u in possible.items() if self._distance(u) < least + _SAME_SIZE}
        return self._holding(values, near, self.declared.soft)

    def _holding(
        self, values: pd.Series, columns: Mapping[str, str], limits: tuple[float, float]
    ) -> dict[str, str]:
        """Return the columns in which nearly all of the values, if any, lie within limits."""
        return {
            column: unit
            for column, unit in columns.items()
            if values.map(self.declared.conversions[unit]).between(*limits).mean() >= _NEARLY_ALL
        }

    def _distance(self, unit: str) -> float:
        conversions = self.declared.conversions
        return abs(math.log(conversions[unit].factor / conversions[self.unit].factor))


def _is_code(values: pd.Series, rows: pd.Series) -> pd.Series:
    """Tell which values stand for something that was not measured: 999, or one again and again."""
    again = rows.sum() > 1 and values[rows].nunique() == 1
    return values.isin(_CODES) | (rows & again)


def doubts(sent: Sent, patients: pd.DataFrame) -> str | None:
    """Say why a column may stand in another unit than it was read in, and what to do then.

    None where nothing is unlikely, or fewer than ``FEWEST_VALUES`` values are known. A share of
    patients is told in coarse words, by which no small group of them can be counted.

    Parameters
    ----------
    patients
        With the columns ``product`` and ``disease``: what is typical depends on them.
    """
    known = sent.canonical.notna()
    if sent.declared.diseases:
        known &= patients["disease"].isin(sent.declared.diseases)
    if known.sum() < FEWEST_VALUES:
        return None
    outside = known & ~sent.canonical.between(*sent.declared.soft)
    share, said, columns = float(outside.sum() / known.sum()), [], {}
    if share > UNLIKELY_SHARE:
        words = next(word for least, word in _SHARES.items() if share > least)
        limits = limits_in_words(sent.declared, sent.unit, sent.declared.soft)
        said.append(f"more than {words} of its values are not between {limits}, as is usual")
        columns = sent.usual_elsewhere(outside)
    if found := _explanation(sent, patients[known]):
        said.append(found.in_words)
        columns = found.columns
    if not said:
        return None
    read = "" if sent.unit in PURE_NUMBERS else f" read in {sent.unit},"
    return f"{sent.column}:{read} {' and '.join(said)}; {_remedy(sent, columns)}"


def hints(sent: Sent) -> list[str]:
    """Say what values beyond the hard limits may mean, for the side on which they lie."""
    low, high = sent.declared.hard
    said = []
    for side, rows in {"low": sent.canonical < low, "high": sent.canonical > high}.items():
        if rows.any() and (columns := sent.usual_elsewhere(rows)):
            units, names = " or ".join(columns.values()), " or ".join(columns)
            usual = f"what is too {side} would be usual in {units}"
            said.append(f"{usual}: convert it, or name the column {names} if all of it is")
    # A side that a note speaks of may be the other one, and its unit that of another column.
    return said + [part for part in sent.declared.note.split("; ") if not _ONE_SIDED.search(part)]


def _remedy(sent: Sent, columns: Mapping[str, str]) -> str:
    right = "if its values are right so, leave it as it is"
    if columns:
        units, names = " or ".join(columns.values()), " or ".join(columns)
        return f"if it is in {units}, name it {names}; {right}"
    if sent.unit in PURE_NUMBERS:
        return f"look up how it was coded; {right}"
    others = ", ".join(sent.other_columns())
    named = f" (a column in another unit is named {others})" if others else ""
    return f"look up its unit and decimal point at the source{named}; {right}"


@dataclass(frozen=True)
class _Explanation:
    """A factor between units by which a median lies off the typical value."""

    in_words: str
    columns: dict[str, str]
    """With their unit; none where the factor is a power of ten and no accepted unit's."""


def _explanation(sent: Sent, patients: pd.DataFrame) -> _Explanation | None:
    """Find the factor that explains a median far from the typical one, if any does.

    It must leave less than half of the distance on the log scale, and every value within the hard
    limits once it is undone.
    """
    if not has_typical_value(sent):
        return None
    typical = typical_medians(sent.name, patients)
    values = sent.canonical[patients.index].to_numpy(dtype=float)
    ratio = float(np.median(values / typical))
    low, high = sent.declared.hard
    fitting = [
        (factor, columns)
        for factor, columns in factors(sent)
        if max(factor, 1 / factor) >= LEAST_FACTOR
        and ratio > 0.0
        and abs(math.log(ratio / factor)) < abs(math.log(ratio)) / 2
        and np.all((values / factor >= low) & (values / factor <= high))
    ]
    if not fitting:
        return None
    factor, columns = min(fitting, key=lambda found: abs(math.log(ratio / found[0])))
    times = times_in_words(factor)
    centre = limits_in(sent.declared, sent.unit, (float(np.median(typical)),) * 2)[0]
    words = f"its median is nearer to {times} the typical {centre:.3g} {sent.unit} than to it"
    return _Explanation(words, columns)


def times_in_words(factor: float) -> str:
    """Say by how much something is larger or smaller."""
    return f"{factor:.3g} times" if factor > 1 else f"1/{1 / factor:.3g} of"


def factors(sent: Sent) -> Iterator[tuple[float, dict[str, str]]]:
    """Yield how many times too large a column is that stands in another unit, and its right name.

    Results that vary by factors are tried for a power of ten, too: for a decimal point that was
    lost, and for units that the contract does not accept, such as platelets by 10*4/uL. Not so CRP
    and ferritin, in which patients, and so the medians of centres, differ by too much.
    """
    conversions = sent.declared.conversions
    for column, unit in sent.other_columns().items():
        yield float(conversions[sent.unit].factor / conversions[unit].factor), {column: unit}
    spreads = [row.spread for row in typical_values() if row.predictor == sent.name]
    multiplicative = sent.declared.transform != "identity"
    if multiplicative and spreads and _SPREADS_IN_TEN * max(spreads) < math.log(10):
        yield from ((factor, {}) for factor in _POWERS_OF_TEN)


def has_typical_value(sent: Sent) -> bool:
    """Tell whether a quantity has a unit to be wrong and a typical value to be held against."""
    known = typical_value(sent.name) is not None or sent.name in _burden_medians()
    return known and not sent.declared.whole


def typical_medians(name: str, patients: pd.DataFrame) -> np.ndarray:
    """Return the median that is typical of each patient's disease and product, of shape (n,)."""
    pair, pairs = pd.MultiIndex.from_frame(patients[["disease", "product"]]).factorize()
    return np.array([_typical_median(name, disease, product) for disease, product in pairs])[pair]


def _typical_median(name: str, disease: str, product: str) -> float:
    row = typical_value(name, disease, product)
    return _burden_medians()[name] if row is None else row.centre


@cache
def _burden_medians() -> dict[str, float]:
    """Return the median of each measure of tumour burden that is a quantity."""
    curves = {
        burden.measure: burden.curve()
        for burden in burden_measures()
        if isinstance(PREDICTORS[burden.measure], Quantity)
    }
    return {name: float(np.interp(0.5, at, values)) for name, (values, at) in curves.items()}
