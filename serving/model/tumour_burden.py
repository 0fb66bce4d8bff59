"""Tumour burden on one scale: the percentile within the disease of the best measure available.

Diseases are measured differently (PET volume, diameters, marrow blasts, marrow plasma cells), and
cut-offs of one measure in the literature span three-fold (147.5 mL and 450 mL of metabolic tumour
volume), so no raw value and no cut-off is pooled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from data_schemas.products import LYMPHOMAS
from serving.model.disease_codes import by_disease, disease_codes

Array = np.ndarray

BURDEN = "tumour_burden"
"""What it is called beside the predictors of the contract, of which it is none."""

SOURCES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(LYMPHOMAS, ("mtv", "spd", "largest_lesion", "bulky_disease")),
    "B_ALL": ("marrow_blast", "blasts_blood"),
    "MM": ("marrow_plasma_cell", "involved_flc", "m_protein"),
}
"""Measures of burden in each disease, best first.

LDH is not among them: it enters the model by itself, and counting it twice would hide that no
measure of burden was taken.
"""

MUCH_HIGHER = 0.5
"""How far above the percentile used another measure's may stand before the two disagree.

Half of all patients, which is our choice. Only higher ones: leukaemia that fills the marrow may
well leave the blood free of blasts.
"""

NO_SOURCE = "none"
MEASURES = tuple(dict.fromkeys(name for names in SOURCES.values() for name in names))
"""Every measure of burden, once."""

_NAMES = (NO_SOURCE, *MEASURES)


@dataclass(frozen=True, slots=True)
class BurdenScale:
    """For each measure, increasing values and the percentiles (0 to 1) that they stand at."""

    values: Mapping[str, tuple[float, ...]]
    percentiles: Mapping[str, tuple[float, ...]]

    def percentile(self, measure: str, values: Array) -> Array:
        """Return the percentile of each value, linear between knots, flat beyond them."""
        return np.interp(values, self.values[measure], self.percentiles[measure])


@dataclass(frozen=True, slots=True)
class TumourBurden:
    """``percentile`` in 0 to 1 (NaN where nothing was measured) and the measure it came from.

    ``disagrees`` tells where another measure stands much higher. Each has shape (n,).
    """

    percentile: Array
    source: Array
    disagrees: Array


def tumour_burden(columns: Mapping[str, Array], scale: BurdenScale) -> TumourBurden:
    """Return the burden of each patient from contract columns, each of shape (n,)."""
    disease = disease_codes(columns)
    percentile = np.full(len(disease), np.nan)
    highest = percentile.copy()
    source = np.zeros(len(disease), dtype=np.intp)
    for measures in dict.fromkeys(SOURCES.values()):
        measured = by_disease(_has_measures(measures))[disease]
        for measure in measures if measured.any() else ():
            values = np.asarray(columns[measure], dtype=float)
            known = np.flatnonzero(measured & ~np.isnan(values))
            level = scale.percentile(measure, values[known])
            highest[known] = np.fmax(highest[known], level)
            first = source[known] == 0
            percentile[known[first]] = level[first]
            source[known[first]] = _NAMES.index(measure)
    disagrees = highest - percentile > MUCH_HIGHER
    return TumourBurden(percentile, np.array(_NAMES, dtype=object)[source], disagrees)


def _has_measures(measures: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda disease: SOURCES.get(disease) == measures
