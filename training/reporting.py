"""Which report belongs to what was done: a model was trained, tried elsewhere, or updated."""

from pathlib import Path

from serving.model.artefact import Artefact
from training.code_state import code_state
from training.cohort import LearningCohort
from training.evaluation.record import Evaluation
from training.experiment import Experiment
from training.judging.external_validation import ExternalValidation
from training.judging.ruling import ruling_of
from training.judging.verdict import NO_LIMITS
from training.report.build import report
from training.report.record import Updating
from training.report.writing import write_report


def report_model(
    folder: Path,
    artefact: Artefact,
    evaluation: Evaluation,
    cohort: LearningCohort | None,
    experiment: Experiment | None,
) -> dict[str, bytes]:
    """Write the report of a saved model, with its own verdict; return figures as PNG by file name.

    Parameters
    ----------
    cohort
        The patients of the evaluation; None for a model of no patient, which was rehearsed.
    experiment
        None for a model that was updated rather than trained.
    """
    ruling = ruling_of(artefact)
    said = ruling.verdict if ruling else NO_LIMITS
    whole = report(artefact, evaluation, said, code_state(), cohort=cohort, experiment=experiment)
    return write_report(folder, whole)


def report_elsewhere(folder: Path, artefact: Artefact, found: ExternalValidation) -> None:
    """Write the report of a finished model tried on other patients, held against its own limits."""
    updating = Updating(allowed=found.update.in_words, advisory=found.advisory.in_words)
    whole = report(
        artefact,
        found.evaluation,
        found.verdict,
        code_state(),
        cohort=found.cohort,
        experiment=None,
        updating=updating,
    )
    write_report(folder, whole)
