"""What must be said against a model, as far as the run itself can know it; the author adds more."""

from collections.abc import Iterator

from data_schemas.model_manifest import ModelManifest
from serving.model.applicability import MOST_MISSING_WEIGHT
from training.evaluation.record import Evaluation
from training.report.model_record import ModelFacts
from training.report.patients_record import Flow
from training.report.record import Marks, Standing

_ENOUGH_EVENTS = 100
"""Fewer events leave a calibration slope too uncertain to read (Vergouwe Y, J Clin Epidemiol
2005;58:475-483)."""


def limits(
    standing: Standing,
    marks: Marks,
    evaluation: Evaluation,
    flow: Flow | None,
    model: ModelFacts,
    manifest: ModelManifest,
) -> tuple[str, ...]:
    """Return one sentence a limit, the gravest first."""
    return (
        *_simulated(standing, marks),
        *_validated(standing, evaluation),
        *_few(evaluation, flow),
        *_evidence(model, manifest),
        *_always(),
    )


def _simulated(standing: Standing, marks: Marks) -> Iterator[str]:
    if marks.judged:
        yield (
            "Every measure of performance here is of simulated patients: it says whether the "
            "machinery works, and nothing about patients."
        )
    if marks.fitted:
        yield "Simulated patients had a hand in the model: it must not answer for real ones."
    if standing.fitted_on_real == 0:
        yield "No real patient had a hand in the model."


def _validated(standing: Standing, evaluation: Evaluation) -> Iterator[str]:
    if standing.validated_on_real == 0:
        yield "The finished model was tried on no real patient outside its fit."
    if evaluation.fitted_here:
        yield (
            "Resampling says how the model would do on more patients like these; other centres, "
            "and later years, are another question."
        )
    if evaluation.leading is None:
        yield "No view leads: nothing was predicted of patients whom the fit had not seen."


def _few(evaluation: Evaluation, flow: Flow | None) -> Iterator[str]:
    if evaluation.sample_size.met is False:
        yield "There are fewer patients than guidance asks for: read the intervals, not the values."
    elif evaluation.sample_size.met is None:
        yield (
            "Whether there are as many patients as guidance asks for could not be computed in "
            "every respect: read the intervals, not the values."
        )
    if evaluation.events < _ENOUGH_EVENTS:
        yield (
            f"There are {evaluation.events} events, fewer than {_ENOUGH_EVENTS}: calibration "
            "beyond the mean is known badly."
        )
    suppressed = sum(cell.suppressed for by in evaluation.subgroups for cell in by.cells)
    if suppressed:
        yield (
            f"{suppressed} groups had fewer than {evaluation.asked.smallest_cell} patients with or "
            "without the outcome: how the model does in them is not known."
        )
    if flow is None:
        return
    if not_known := flow.excluded[0].patients:
        yield (
            f"{not_known} patients were left out because their outcome is not known; if that goes "
            "with the risk, the risks are wrong."
        )
    if any(by.by == "site" and len(by.groups) == 1 for by in flow.by):
        yield "All patients come from one site: differences between centres cannot be seen."


def _evidence(model: ModelFacts, manifest: ModelManifest) -> Iterator[str]:
    if unread := len(manifest.evidence.unread_rows):
        yield (
            f"{unread} of the {manifest.evidence.rows} published rows that the model rests on were "
            "not read in their source."
        )
    if model.assumed:
        yield f"{len(model.assumed)} numbers are assumed, because none is published."
    if manifest.directions_released:
        yield (
            "The patients contradicted what was promised of the direction of "
            f"{', '.join(manifest.directions_released)}."
        )


def _always() -> Iterator[str]:
    yield (
        "Risks hold under the treatment policy of the patients behind them, prophylaxis and early "
        "treatment included; earlier treatment of toxicity lowers them, and so may acting on them."
    )
    yield "Products were not randomised against each other: a difference is not an effect."
    yield "Effects are associations; published ones come from lymphoma above all."
    yield "Cell expansion, the strongest driver of toxicity, is not known before infusion."
    yield (
        "Intervals tell the uncertainty of sampling and of what is believed; that of another "
        "choice of model is not in them."
    )
    yield (
        "A broken input is refused with every problem named; where predictors that carry more than "
        f"{100 * MOST_MISSING_WEIGHT:.0f} % of the model's weight are missing, no number is given."
    )
    yield "Limits of acceptance and the range of net benefit are proposals for those who decide."
