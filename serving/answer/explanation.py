"""The risk accounted for: what each predictor adds, sorted, exact to the last digit.

Contributions are Shapley values in log-odds against the typical patient of the same product and
disease: the linear part in closed form, the trees from tables.
They say what goes with the risk, never what causes it, and nothing of what was not measured.
"""

from collections.abc import Collection, Iterable

from data_schemas.products import DISEASES
from data_schemas.risk_assessment import Explanation
from serving.answer.compiled_model import Said
from serving.answer.points import points_per_log_odds, whole_points
from serving.answer.told import ABOUT, GROUPS, NO_DIFFERENCE, NOT_COUNTED, Told
from serving.model.inputs import counted_terms
from serving.model.risk_model import RiskModel
from serving.model.terms import Term

_NEGLIGIBLE = 5e-13
_MOST_REASONS = 4
_LEAST_POINTS = 0.5
"""A predictor of fewer percentage points gets no reason of its own."""

Added = list[tuple[str, float]]
"""Predictors with what they add in log-odds, largest first."""

_HIGHER = ": goes with a higher risk than typical"
_LOWER = ": goes with a lower risk than typical"
_UNREAD = " (by a figure that is unread)"
_OTHERS = {
    0: "All other predictors together make no difference",
    1: "All other predictors together go with a higher risk than typical",
    -1: "All other predictors together go with a lower risk than typical",
}
_DEFAULTS = {name: field.default for name, field in Explanation.model_fields.items()}
_SCALE, _STARTING_POINT = _DEFAULTS["scale"], _DEFAULTS["starting_point"]
_STATEMENTS = {name: _DEFAULTS[name] for name in ("points_statement", "centile_statement")}


class Explainer:
    """Explains what one model says of one patient at a time."""

    def __init__(self, model: RiskModel, resting_on_unread: Collection[str]) -> None:
        """Settle what depends on the cell alone.

        Parameters
        ----------
        resting_on_unread
            Names of terms whose effect rests on a figure that was not read in its source.
        """
        counted = {disease: counted_terms(model, disease) for disease in DISEASES}
        self._counted = [
            frozenset(term.predictor for term in counted[cell.disease]) for cell in model.cells
        ]
        marked = {
            disease: _by_predictor(term for term in terms if term.name in resting_on_unread)
            for disease, terms in counted.items()
        }
        self._unread = [marked[cell.disease] for cell in model.cells]
        self._reference = [
            f"the typical patient with {DISEASES[cell.disease]} given {cell.product}"
            for cell in model.cells
        ]

    def explain(
        self, said: Said, cell: int, told: Told, risk_at_base: float, risk: float
    ) -> dict[str, object]:
        """Return the fields of an :class:`Explanation`; what is left open is filled in later."""
        at_base, percent = round(100 * risk_at_base), round(100 * risk)
        per_log_odds = points_per_log_odds(said.base, risk_at_base, said.logit, risk)
        added = sorted(said.contributions.items(), key=_size)
        counted = self._counted[cell]
        unread = told.those_given(self._unread[cell])
        reasons, other = _reasons(added, told, per_log_odds, percent - at_base, counted, unread)
        contributions, groups = _contributions(added, told, counted, unread)
        return {
            "scale": _SCALE,
            "reference": self._reference[cell],
            "base": said.base,
            "contributions": contributions,
            "total": said.logit,
            "starting_point": _STARTING_POINT,
            "percent_at_base": at_base,
            "percent": percent,
            "groups": _groups(groups, told, per_log_odds, percent - at_base),
            "reasons": reasons,
            "other": other,
            "range_if_measured": (),
            **_STATEMENTS,
        }


def _size(one: tuple[str, float]) -> float:
    return -abs(one[1])


def _by_predictor(terms: Iterable[Term]) -> dict[str, frozenset[str]]:
    """Return the predictors of terms, each with the words that count; without, any value does."""
    words: dict[str, frozenset[str]] = {}
    for term in terms:
        words[term.predictor] = words.get(term.predictor, frozenset()).union(term.choices)
    return words


def _contributions(
    added: Added, told: Told, counted: frozenset[str], unread: Collection[str]
) -> tuple[list[object], dict[str, float]]:
    """Return one contribution a predictor, those not measured last, and the sum of each group.

    What is as in the typical patient makes no difference. What is otherwise and yet adds nothing,
    a word without an effect of its own too, is not counted.
    """
    words, measured = told.words, told.measured
    made: list[object] = []
    sums: dict[str, float] = {}
    moved, otherwise = set(), set()
    for name, log_odds in added:
        if not log_odds:
            otherwise.add(name)
            continue
        label, group = ABOUT[name]
        says = (
            _direction(log_odds, name in unread) if abs(log_odds) > _NEGLIGIBLE else NO_DIFFERENCE
        )
        sums[group] = sums.get(group, 0.0) + log_odds
        moved.add(name)
        one: dict[str, object] = {
            "predictor": name,
            "label": label,
            "group": group,
            "log_odds": log_odds,
            "measured": True,
        }
        if name in unread:
            one["unread"] = True
        one["text"] = words[name] + says
        made.append(one)
    if len(moved) < len(measured.known):
        as_typical = counted - otherwise
        made += [
            told.without_effect(name, NO_DIFFERENCE if name in as_typical else NOT_COUNTED)
            for name in measured.known
            if name not in moved
        ]
    made += measured.nothing
    return made, sums


def _groups(
    sums: dict[str, float], told: Told, per_log_odds: float, difference: int
) -> list[object]:
    order = sorted(sums.items(), key=_size)
    exact = [log_odds * per_log_odds for _, log_odds in order]
    members, idle = told.measured.members, told.measured.idle
    groups: list[object] = []
    for (group, log_odds), points in zip(order, whole_points(exact, difference), strict=True):
        groups.append(
            {"group": group, "log_odds": log_odds, "points": points, "predictors": members[group]}
        )
    groups += [idle[group] for group in GROUPS if group not in sums]
    return groups


def _direction(log_odds: float, unread: bool) -> str:
    return (_HIGHER if log_odds > 0 else _LOWER) + (_UNREAD if unread else "")


def _reasons(
    added: Added,
    told: Told,
    per_log_odds: float,
    difference: int,
    counted: frozenset[str],
    unread: Collection[str],
) -> tuple[list[dict[str, object]], dict[str, object]]:
    chosen, left = chosen_reasons(added, per_log_odds)
    exact = [log_odds * per_log_odds for _, log_odds in chosen]
    exact.append(left * per_log_odds)
    points = whole_points(exact, difference)
    reasons = []
    for (name, log_odds), share in zip(chosen, points, strict=False):
        centile, words = told.standing(name)
        reason: dict[str, object] = {
            "predictor": name,
            "direction": "higher" if log_odds > 0 else "lower",
            "log_odds": log_odds,
            "points": share,
        }
        if centile is not None:
            reason["centile"] = centile
        reason["text"] = words + _direction(log_odds, name in unread)
        reasons.append(reason)
    text = _OTHERS[(left > _NEGLIGIBLE) - (left < -_NEGLIGIBLE)] + told.not_counted(counted)
    return reasons, {"log_odds": left, "points": points[-1], "text": text}


def chosen_reasons(added: Added, per_log_odds: float) -> tuple[Added, float]:
    """Choose at most four predictors that add most, in both directions if there are both.

    Parameters
    ----------
    per_log_odds
        Percentage points that one log-odds is worth; who adds less than half a point is left out.

    Returns
    -------
    list, float
        Who is chosen, and what all others add together, in log-odds.
    """
    chosen: Added = []
    left, upwards, against = 0.0, 0, None
    for one in added:
        log_odds = one[1]
        is_worth = abs(log_odds) * per_log_odds >= _LEAST_POINTS
        if is_worth and len(chosen) < _MOST_REASONS:
            chosen.append(one)
            upwards += log_odds > 0
            continue
        left += log_odds
        if is_worth and against is None and upwards == (0 if log_odds > 0 else _MOST_REASONS):
            against = one
    if against is not None:
        left += chosen[-1][1] - against[1]
        chosen[-1] = against
    return chosen, left
