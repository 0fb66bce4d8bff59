"""How much of a published effect is found again among other patients."""

from math import exp, log, sqrt

from data_schemas.evidence import Evidence, EvidenceError, Problem
from data_schemas.typical_values import TypicalValue
from training.synthesis import effect_conversions as convert
from training.synthesis.figure_reading import typical
from training.synthesis.needed_figures import Needed, refuse_missing

FARTHEST_CUT = 4.0
"""In spreads from the typical patient: beyond lies one patient in 30,000."""

LARGEST_SHARE = 1.5
"""Later studies may find more than the first, but not so much more that a misprint is likelier."""

_FIRST, _AGAIN = "model-car-hematotox-rejeski", "model-car-hematotox-deboer"
_EASIX, _EASIX_AGAIN = "easix-doubling-severe-korell", "model-easix-deboer"
_EASIX_CUT = "easix-over-4-67-severe-korell"
_NEEDED: tuple[Needed, ...] = (
    *((row_id, ("auc_external",)) for row_id in (_FIRST, _AGAIN, _EASIX_AGAIN)),
    (_EASIX, ("effect",)),
    (_EASIX_CUT, ("effect", "threshold")),
)

TRANSPORT_ROWS = tuple(row_id for row_id, _ in _NEEDED)
"""The rows of evidence that the share rests on."""


def transport(evidence: Evidence) -> float:
    """Return the share of a published separation that survives in another population.

    The mean of two scores that were measured again elsewhere: CAR-HEMATOTOX (AUC 0.89, then 0.73 in
    a population) and EASIX (odds ratio 1.72 per doubling in ZUMA-1; then AUC 0.61 to 0.62 in the
    Netherlands, and an odds ratio of 4.3 above 4.67 in Heidelberg and Berlin). That none of the
    EASIX family went with grade 3 in the Netherlands has no figure, and no part in the mean.

    The factors of EASIX are taken as independent: the interval of its odds ratio in ZUMA-1, 1.26 to
    2.46 of 93 patients, leaves it a spread of 0.86 to 0.94 (natural logarithm) if 41 to 28 % of
    them had the outcome, and independent factors have 0.90.

    Raises
    ------
    EvidenceError
        If a figure is not there or separates nobody, or a share follows that cannot be.
    """
    refuse_missing(evidence, _NEEDED)
    first, again, netherlands = (
        _separating_auc(evidence, row_id) for row_id in (_FIRST, _AGAIN, _EASIX_AGAIN)
    )
    korell = evidence.row(_EASIX).effect
    parts = [typical(name) for name in ("ldh", "creatinine", "platelets")]
    spread = sqrt(sum(part.spread**2 for part in parts))
    internal = log(korell) * spread / log(2)
    germany = _easix_above_its_cut(evidence, parts, spread)
    easix = (convert.separation(netherlands) + germany) / 2 / internal
    hematotox = convert.separation(again) / convert.separation(first)
    share = (hematotox + easix) / 2
    if not 0 < share <= LARGEST_SHARE:
        rows = ", ".join(TRANSPORT_ROWS)
        limit = f"{share:.3g} of a separation found elsewhere must be above 0 to {LARGEST_SHARE}"
        raise _refused("performance.toml, associations.toml", rows, "effect, auc_external", limit)
    return share


def _refused(file: str, row: str, field: str, limit: str) -> EvidenceError:
    return EvidenceError((Problem(file, row, field, limit, "compare with the source"),))


def _separating_auc(evidence: Evidence, row_id: str) -> float:
    """Return an AUC measured elsewhere that can be compared: it separates, and not everybody."""
    auc: float | None = evidence.row(row_id).auc_external
    if auc is None or not 0.5 < auc < 1:
        limit = f"{auc} must lie between 0.5 and 1: what is found again elsewhere is read from it"
        raise _refused("performance.toml", row_id, "auc_external", limit)
    return auc


def _easix_above_its_cut(evidence: Evidence, parts: list[TypicalValue], spread: float) -> float:
    """Return the effect of EASIX per spread, from an odds ratio above a cut that was set before."""
    row = evidence.row(_EASIX_CUT)
    assert row.threshold is not None
    assert row.effect is not None
    ldh, creatinine, platelets = (part.centre for part in parts)
    centre = log(ldh * creatinine / platelets)
    least, most = (exp(centre + side * FARTHEST_CUT * spread) for side in (-1, 1))
    if not least <= row.threshold <= most:
        limit = f"{row.threshold:g} must lie within {least:.2g} to {most:.3g}, as EASIX does"
        raise _refused("associations.toml", row.id, "threshold", limit)
    return convert.above_threshold(row.effect, 0.0, log(row.threshold), centre, spread).estimate
