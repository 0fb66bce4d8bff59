"""The answer for two outcomes at once: either, and both."""

from collections.abc import Callable, Mapping
from math import exp
from typing import NamedTuple

from data_schemas.risk_assessment import Interval
from serving.model.joint_risk import Association, both, either

LEVEL = Interval.model_fields["level"].default
Combine = Callable[[float, float, float], float]


class Risk(NamedTuple):
    """One outcome's risk and its interval."""

    risk: float
    low: float
    high: float


class TwoOutcomes:
    """Puts together two outcomes of which one says how they go together."""

    def __init__(self, second: str, association: Association) -> None:
        """Put the association into words."""
        self._names = association.other, second
        self._log_odds_ratio = association.log_odds_ratio
        self._said = {
            "odds_ratio": exp(association.log_odds_ratio),
            "sources": association.sources,
            "statement": _association_in_words(association),
        }

    def together(self, risks: Mapping[str, Risk | None]) -> dict[str, object] | None:
        """Return the fields of :class:`Together`, None without both risks."""
        first, second = (risks.get(name) for name in self._names)
        if first is None or second is None:
            return None
        return {
            "outcomes": self._names,
            "either": self._joint(either, first, second),
            "both": self._joint(both, first, second),
            **self._said,
        }

    def _joint(self, combine: Combine, first: Risk, second: Risk) -> dict[str, object]:
        ratio = self._log_odds_ratio
        low, high = combine(first.low, second.low, ratio), combine(first.high, second.high, ratio)
        return {"risk": combine(first.risk, second.risk, ratio), "interval": interval(low, high)}


def interval(low: float, high: float) -> dict[str, float]:
    """Return the fields of an :class:`Interval`."""
    return {"low": low, "high": high, "level": LEVEL}


def _association_in_words(association: Association) -> str:
    ratio = f"odds ratio {exp(association.log_odds_ratio):.1f}"
    if association.patients:
        return f"{ratio}, from published figures and {association.patients} patients"
    return f"{ratio}, from published figures alone, made modest"
