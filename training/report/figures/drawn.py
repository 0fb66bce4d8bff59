"""Which figures a report has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure

from training.evaluation.record import AcrossGroups, Comparison, Evaluation
from training.report.figures import calibration, decision, forest, instability, model
from training.report.figures.style import look, settle
from training.report.labels import prediction_label
from training.report.record import Report

Draw = Callable[[str, str | None], Figure]

_LEFT_OUT = {
    "site": "Without each site: performance where the fit had not been",
    "product": "Without each product: performance where the fit had not been",
    "later": "Forward in time: performance on later patients, by year",
}
_BY_KIND = "Performance by kind of patient (patients; events)"
_BY = {"site": "Performance site by site", "product": "Performance product by product"}


@dataclass(frozen=True)
class Drawing:
    """A figure, its title and the mark of simulated patients in it, where there are any."""

    name: str
    title: str
    mark: str | None
    marked: Literal["judged", "fitted"]
    """Whose simulated patients would mark it: those judged, or those of the fit."""
    figure: Figure

    @property
    def alternative(self) -> str:
        """What the figure shows, for those who do not see it."""
        return self.title if self.mark is None else f"{self.title}: {self.mark}"


def drawings(report: Report) -> Iterator[Drawing]:
    """Draw every figure that the report has the numbers for."""
    for name, title, judged, draw in (*_of_judgement(report.evaluation), *_of_model(report)):
        mark = report.marks.judged if judged else report.marks.fitted
        with look():
            figure = draw(title, mark)
            settle(figure)
        yield Drawing(name, title, mark, "judged" if judged else "fitted", figure)


Wanted = tuple[str, str, bool, Draw]
"""Name, title, whether judged patients are in it (else only those of the fit), and how to draw."""


def _of_judgement(evaluation: Evaluation) -> Iterator[Wanted]:
    view = evaluation.headline
    if view is not None:
        yield "calibration", "Calibration", True, lambda t, m: calibration.calibration(view, t, m)
    if view is not None and view.decision_curve is not None:
        curve, best = view.decision_curve, best_comparison(evaluation)
        name = prediction_label(best.comparator) if best else ""
        yield (
            "decision",
            "Decision curve",
            True,
            lambda t, m: decision.decision(curve, best, name, t, m),
        )
    for found in evaluation.across:
        yield from _forests(f"across-{found.by}", _title(found), forest.of_across(found))
    yield from _forests("subgroups", _BY_KIND, forest.of_subgroups(evaluation.subgroups))
    yield from _of_instability(evaluation)


def _title(found: AcrossGroups) -> str:
    titles = _LEFT_OUT if found.left_out else _BY
    return f"{titles[found.by]} (patients; events)"


def _forests(name: str, title: str, rows: list[forest.Row]) -> Iterator[Wanted]:
    """Yield the sheets of a forest; none where every group was too small to be judged."""
    judged = any(row.cell is not None and not row.cell.suppressed for row in rows)
    for i, some in enumerate(forest.sheets(rows) if judged else ()):
        more = f", sheet {i + 1}" if i else ""
        yield f"{name}-{i + 1}", f"{title}{more}", True, _forest(some)


def _forest(rows: list[forest.Row]) -> Draw:
    return lambda title, mark: forest.forest(rows, title, mark)


def best_comparison(evaluation: Evaluation) -> Comparison | None:
    """Return the comparator of least log-loss among those that answer every judged patient.

    Curves of others would stand on other patients, and are in the table only.
    """
    view = evaluation.headline
    whole = [
        c
        for c in evaluation.comparisons
        if view is not None
        and c.patients == view.measures.patients
        and c.other.log_loss.value is not None
    ]
    return min(whole, key=lambda c: c.other.log_loss.value or 0.0, default=None)


def _of_instability(evaluation: Evaluation) -> Iterator[Wanted]:
    found, view = evaluation.instability, evaluation.headline
    if found is None:
        return
    yield "instability", "Risks under refits", True, lambda t, m: instability.risks(found, t, m)
    yield (
        "instability-calibration",
        "Calibration under refits",
        True,
        lambda t, m: instability.calibration(found, t, m),
    )
    if view is not None and view.decision_curve is not None:
        curve = view.decision_curve
        yield (
            "instability-net-benefit",
            "Net benefit under refits",
            True,
            lambda t, m: instability.net_benefit(found, curve, t, m),
        )


def _of_model(report: Report) -> Iterator[Wanted]:
    facts = report.model
    before = "published" if facts.evidence_used else "published, not used by this model"
    judged = facts.importance.weights[0].mean_contribution is not None
    yield (
        "importance",
        "What the model rests on",
        judged,
        lambda t, m: model.importance(facts.importance, t, m),
    )
    yield (
        "contributions",
        "Each predictor alone: contribution to the log-odds",
        False,
        lambda t, m: model.contributions(facts.effects, t, m),
    )
    yield (
        "risks",
        "Each predictor alone: risk of the typical patient",
        False,
        lambda t, m: model.risks(facts.effects, t, m),
    )
    yield (
        "prior",
        "The evidence beside the model",
        False,
        lambda t, m: model.prior_and_fit(facts.coefficients, before, t, m),
    )
