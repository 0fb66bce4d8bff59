"""Tumour burden on one scale: the percentile within the disease of the best measure available.

Diseases are measured differently (PET volume, diameters, marrow blasts, marrow plasma cells), and
cut-offs of one measure in the literature span three-fold (147.5 mL and 450 mL of metabolic tumour
volume), so no raw value and no cut-off is pooled.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_schemas.products import LYMPHOMAS

Array = np.ndarray

SOURCES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(LYMPHOMAS, ("mtv", "spd", "largest_lesion", "bulky_disease")),
    "B_ALL": ("marrow_blast", "blasts_blood"),
    "MM": ("marrow_plasma_cell", "involved_flc", "m_protein"),
}
"""Measures of burden in each disease, best first.

LDH is not among them: it enters the model by itself, and counting it twice would hide that no
measure of burden was taken.
"""

NO_SOURCE = "none"


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
    """``percentile`` in 0 to 1 (NaN where nothing was measured) and the measure it came from."""

    percentile: Array
    source: Array


def tumour_burden(columns: Mapping[str, Array], scale: BurdenScale) -> TumourBurden:
    """Return the burden of each patient from contract columns, each of shape (n,)."""
    disease = columns["disease"]
    percentile = np.full(len(disease), np.nan)
    source = np.full(len(disease), NO_SOURCE, dtype=object)
    for code, measures in SOURCES.items():
        of_disease = disease == code
        for measure in measures if of_disease.any() else ():
            values = np.asarray(columns[measure], dtype=float)
            use = of_disease & np.isnan(percentile) & ~np.isnan(values)
            percentile[use] = scale.percentile(measure, values[use])
            source[use] = measure
    return TumourBurden(percentile, source)
