"""Reporting and appraisal checklists, filled with what the run itself knows."""

import tomllib
from collections.abc import Iterator
from importlib.resources import files

from data_schemas.model_manifest import ModelManifest
from training.evaluation.record import Evaluation
from training.report.checklist_record import Fact, ProbastDomain, TripodItem
from training.report.patients_record import Flow
from training.report.record import Kind

_NO_PATIENT = "no patient was judged, so that the run has nothing to show"
_OTHER_PATIENTS = "the patients of development are not at hand here; compare with their report"


def tripod_ai(kind: Kind) -> dict[str, TripodItem]:
    """Return every item, with who answers it where; the author's where the run cannot."""
    return {item: _item(row, _unmet(row.get("needs"), kind)) for item, row in _rows().items()}


def _rows() -> dict[str, dict[str, str]]:
    return tomllib.loads((files("training.report") / "tripod_ai.toml").read_text("utf-8"))


def _unmet(needs: str | None, kind: Kind) -> str | None:
    """Return why a run of this kind cannot give what an item needs, if so."""
    if needs is not None and kind == "rehearsal":
        return _NO_PATIENT
    return _OTHER_PATIENTS if needs == "development" and kind != "development" else None


def _item(row: dict[str, str], unmet: str | None) -> TripodItem:
    if unmet is not None:
        return TripodItem(topic=row["topic"], status="todo", section=None, note=unmet)
    said = {"section": None, **{key: row[key] for key in row if key != "needs"}}
    return TripodItem.model_validate(said)


def probast_ai(
    manifest: ModelManifest, evaluation: Evaluation, flow: Flow | None
) -> tuple[ProbastDomain, ...]:
    """Return the facts of the run by domain; the judgement is left to a person."""
    domains = {
        "participants and data": _participants(manifest, evaluation, flow),
        "predictors": _predictors(manifest),
        "outcome": _outcome(manifest),
        "analysis": _analysis(manifest, evaluation),
    }
    return tuple(ProbastDomain(domain=d, facts=tuple(facts)) for d, facts in domains.items())


def _development(text: str) -> Fact:
    return Fact(of="development", text=text)


def _evaluation(text: str) -> Fact:
    return Fact(of="evaluation", text=text)


def _participants(
    manifest: ModelManifest, evaluation: Evaluation, flow: Flow | None
) -> Iterator[Fact]:
    fitted = manifest.cohort
    yield _development(
        f"fitted on {fitted.real_patients} real and {fitted.simulated_patients} simulated "
        f"patients of {fitted.sites} sites, with {fitted.events} events"
    )
    yield _development(
        f"starts from {manifest.evidence.rows} rows of published evidence, of which "
        f"{len(manifest.evidence.unread_rows)} were not read in their source"
    )
    yield _evaluation(
        f"judged on {evaluation.patients} patients ({evaluation.on}), {evaluation.events} events"
    )
    if flow is None:
        return
    left_out = sum(e.patients for e in flow.excluded)
    yield _evaluation(
        f"of {flow.screened} rows {left_out} were left out: "
        + "; ".join(f"{e.patients} because {e.reason}" for e in flow.excluded)
    )
    by = {kind.by: len(kind.groups) for kind in flow.by}
    yield _evaluation(f"{by['site']} sites, {by['product']} products, {by['year']} years")


def _predictors(manifest: ModelManifest) -> Iterator[Fact]:
    yield _development("named in the experiment before fitting; none chosen by its outcome")
    yield _development("kept continuous; one unit and one set of limits for every row")
    yield _development("measured before infusion: a later time of measurement is refused")
    released = ", ".join(manifest.directions_released) or "none"
    yield _development(f"promised directions let go because patients contradicted them: {released}")
    yield _evaluation("read by the same contract, from the same columns, as in service")


def _outcome(manifest: ModelManifest) -> Iterator[Fact]:
    outcome = manifest.outcome
    yield _development(f"{outcome.definition} ({outcome.reference})")
    yield _development("grades of other scales are refused, not pooled")
    yield _evaluation("the same definition; patients whose outcome is not known are left out")
    yield _evaluation("who graded, and whether they knew the predictors, is not in the table")


_LEFT_OUT = {
    "site": "without each site",
    "product": "without each product",
    "later": "without the later patients",
}


def _analysis(manifest: ModelManifest, evaluation: Evaluation) -> Iterator[Fact]:
    size = evaluation.sample_size
    met = {True: "all met", False: "not all met", None: "not all could be computed"}[size.met]
    yield _development(f"learner {manifest.learner}; {manifest.local_deviation}")
    yield _development("missing predictors count as typical and widen the interval")
    yield _development("no resampling for balance, no class weights")
    if evaluation.fitted_here:
        yield _development(f"sample-size criteria of development: {met}")
        view = evaluation.cross_validated
        repeats = 0 if view is None else view.repeats
        what = "the update" if manifest.lineage else "the whole pipeline"
        refits = 0 if evaluation.instability is None else evaluation.instability.refits
        yield _evaluation(
            f"{what} repeated: {repeats} repeats of cross-validation, {refits} "
            f"bootstrap refits{''.join(f', {_LEFT_OUT[a.by]}' for a in evaluation.across)}"
        )
    else:
        yield _evaluation(f"sample-size criteria of validation: {met}")
        yield _evaluation("nothing was fitted to the judged patients but the scores beside it")
    yield _evaluation("discrimination, calibration and net benefit are given with intervals")
    if evaluation.headline is not None:
        left = evaluation.headline.measures.without_answer
        yield _evaluation(f"{left} patients without an answer of the model were left aside")
