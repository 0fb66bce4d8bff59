"""The published scores of one patient, as they are shown beside the risk."""

from serving.compiled_terms import Values
from serving.published_scores import PUBLISHED_SCORES, ScoreResult, published_scores

_INPUTS = tuple(sorted({name for score in PUBLISHED_SCORES for name in score.inputs}))


def scores(values: Values) -> list[dict[str, object]]:
    """Return the fields of every :class:`Score`, without those that have no value."""
    known = {name: float(values[name]) for name in _INPUTS if name in values}
    return [_shown(result) for result in published_scores(known)]


def _shown(result: ScoreResult) -> dict[str, object]:
    name, label, value, log2, missing, above_cut_off, note = result
    shown: dict[str, object] = {"name": name, "label": label}
    if value is not None:
        shown["value"] = value
    if log2 is not None:
        shown["log2"] = log2
    shown["missing"] = missing
    if above_cut_off is not None:
        shown["above_cut_off"] = above_cut_off
    shown["note"] = note
    return shown
