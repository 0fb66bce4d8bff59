"""How much of a published effect is found again among other patients."""

from math import log, sqrt

from data_schemas.evidence import Evidence
from data_schemas.typical_values import TypicalValue
from training.synthesis import effect_conversions as convert
from training.synthesis.figure_reading import typical


def transport(evidence: Evidence) -> float:
    """Return the share of a published separation that survives in another population.

    The mean of two scores that were measured again elsewhere: CAR-HEMATOTOX (AUC 0.89, then 0.73 in
    a population) and EASIX (odds ratio 1.72 per doubling in ZUMA-1; then AUC 0.61 to 0.62 in the
    Netherlands, and an odds ratio of 4.3 above 4.67 in Heidelberg and Berlin). That none of the
    EASIX family went with grade 3 in the Netherlands has no figure, and no part in the mean.

    The factors of EASIX are taken as independent: the interval of its odds ratio in ZUMA-1, 1.26 to
    2.46 of 93 patients, leaves it a spread of 0.86 to 0.94 (natural logarithm) if 41 to 28 % of
    them had the outcome, and independent factors have 0.90.
    """
    rows = {row.id: row for row in evidence.performance}
    first = rows["model-car-hematotox-rejeski"].auc_external
    again = rows["model-car-hematotox-deboer"].auc_external
    netherlands = rows["model-easix-deboer"].auc_external
    korell = evidence.row("easix-doubling-severe-korell").effect
    assert first is not None
    assert again is not None
    assert netherlands is not None
    parts = [typical(name) for name in ("ldh", "creatinine", "platelets")]
    spread = sqrt(sum(part.spread**2 for part in parts))
    internal = log(korell) * spread / log(2)
    germany = _easix_above_its_cut(evidence, parts, spread)
    easix = (convert.separation(netherlands) + germany) / 2 / internal
    hematotox = convert.separation(again) / convert.separation(first)
    return (hematotox + easix) / 2


def _easix_above_its_cut(evidence: Evidence, parts: list[TypicalValue], spread: float) -> float:
    """Return the effect of EASIX per spread, from an odds ratio above a cut that was set before."""
    row = evidence.row("easix-over-4-67-severe-korell")
    assert row.threshold is not None
    assert row.effect is not None
    ldh, creatinine, platelets = (part.centre for part in parts)
    centre = log(ldh * creatinine / platelets)
    return convert.above_threshold(row.effect, 0.0, log(row.threshold), centre, spread).estimate
