"""The published scores of one patient, as they are shown beside the risk."""

from serving.answer.compiled_terms import Values
from serving.answer.published_scores import PUBLISHED_SCORES, PublishedScore, score_result


def scores(values: Values) -> list[dict[str, object]]:
    """Return the fields of every :class:`Score`, without those that have no value.

    The contract's limits lie within what the scores can take.
    """
    return [_shown(score, values) for score in PUBLISHED_SCORES]


def _shown(score: PublishedScore, values: Values) -> dict[str, object]:
    name, label, value, log2, missing, above_cut_off, note = score_result(score, values)
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
