"""The risk accounted for: what each predictor adds, sorted, exact to the last digit.

Contributions are Shapley values in log-odds against the typical patient of the same product and
disease: the linear part in closed form, the trees from tables.
They say what goes with the risk, never what causes it, and nothing of what was not measured.
"""

from data_schemas.products import DISEASES
from data_schemas.risk_assessment import Explanation
from serving.compiled_model import Said
from serving.points import points_per_log_odds, whole_points
from serving.risk_model import RiskModel
from serving.told import ABOUT, GROUP_OF, GROUPS, Told

_NEGLIGIBLE = 5e-13
_MOST_REASONS = 4
_LEAST_POINTS = 0.5
"""A predictor of fewer percentage points gets no reason of its own."""

Moving = list[tuple[str, float]]
"""Predictors that add something, with what they add in log-odds, largest first."""

_HIGHER, _LOWER = "goes with a higher risk than typical", "goes with a lower risk than typical"
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

    def __init__(self, model: RiskModel) -> None:
        """Settle what depends on the cell alone."""
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
        by_size = sorted([(-abs(v), name, v) for name, v in said.contributions.items() if v])
        moving = [(name, added) for _, name, added in by_size]
        reasons, other = _reasons(moving, told, per_log_odds, percent - at_base)
        return {
            "scale": _SCALE,
            "reference": self._reference[cell],
            "base": said.base,
            "contributions": _contributions(moving, told),
            "total": said.logit,
            "starting_point": _STARTING_POINT,
            "percent_at_base": at_base,
            "percent": percent,
            "groups": _groups(moving, told, per_log_odds, percent - at_base),
            "reasons": reasons,
            "other": other,
            "range_if_measured": (),
            **_STATEMENTS,
        }


def _contributions(moving: Moving, told: Told) -> list[object]:
    """Return one contribution a predictor, largest first, those not measured last."""
    words, made = told.words, []
    for name, added in moving:
        label, group = ABOUT[name]
        made.append(
            {
                "predictor": name,
                "label": label,
                "group": group,
                "log_odds": added,
                "measured": True,
                "text": f"{words[name]}: {_says(added)}",
            }
        )
    if len(moving) < len(told.measured.known):
        moved = dict(moving)
        made += [told.as_typical(name) for name in told.measured.known if name not in moved]
    return [*made, *told.measured.nothing]


def _says(added: float) -> str:
    if abs(added) < _NEGLIGIBLE:
        return "as typical"
    return _HIGHER if added > 0 else _LOWER


def _groups(moving: Moving, told: Told, per_log_odds: float, difference: int) -> list[object]:
    sums: dict[str, float] = {}
    for name, added in moving:
        group = GROUP_OF[name]
        sums[group] = sums.get(group, 0.0) + added
    by_size = sorted([(-abs(added), group, added) for group, added in sums.items()])
    points = whole_points([added * per_log_odds for _, _, added in by_size], difference)
    members, idle = told.measured.members, told.measured.idle
    groups: list[object] = [
        {"group": group, "log_odds": added, "points": share, "predictors": members[group]}
        for (_, group, added), share in zip(by_size, points, strict=True)
    ]
    groups += [idle[group] for group in GROUPS if group not in sums]
    return groups


def _reasons(
    moving: Moving, told: Told, per_log_odds: float, difference: int
) -> tuple[list[dict[str, object]], dict[str, object]]:
    chosen, others = chosen_reasons(moving, per_log_odds)
    left = sum([added for _, added in others], 0.0)
    exact = [added * per_log_odds for _, added in chosen]
    exact.append(left * per_log_odds)
    points = whole_points(exact, difference)
    reasons = []
    for (name, added), share in zip(chosen, points, strict=False):
        centile, words = told.standing(name)
        reason: dict[str, object] = {
            "predictor": name,
            "direction": "higher" if added > 0 else "lower",
            "log_odds": added,
            "points": share,
        }
        if centile is not None:
            reason["centile"] = centile
        reason["text"] = f"{words}: {_says(added)}"
        reasons.append(reason)
    text = _OTHERS[(left > _NEGLIGIBLE) - (left < -_NEGLIGIBLE)]
    return reasons, {"log_odds": left, "points": points[-1], "text": text}


def chosen_reasons(moving: Moving, per_log_odds: float) -> tuple[Moving, Moving]:
    """Choose at most four predictors that add most, in both directions if there are both.

    Parameters
    ----------
    per_log_odds
        Percentage points that one log-odds is worth; who adds less than half a point is left out.

    Returns
    -------
    list, list
        Who is chosen and who is not.
    """
    worth = len(moving)
    while worth and abs(moving[worth - 1][1]) * per_log_odds < _LEAST_POINTS:
        worth -= 1
    last = _MOST_REASONS - 1
    if worth > _MOST_REASONS and len({added > 0 for _, added in moving[: last + 1]}) == 1:
        upwards = moving[0][1] > 0
        for place in range(_MOST_REASONS, worth):
            if (moving[place][1] > 0) != upwards:
                rest = [*moving[last:place], *moving[place + 1 :]]
                return [*moving[:last], moving[place]], rest
    most = min(worth, _MOST_REASONS)
    return moving[:most], moving[most:]
