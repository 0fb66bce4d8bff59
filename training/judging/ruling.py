"""The verdict on a model with the limits that it rests on: part of the artefact.

As a file of the artefact it is covered by the manifest's hashes, and the manifest by the version:
a verdict cannot be exchanged without making another version.
"""

from collections.abc import Iterable

from data_schemas.model_manifest import Measure
from serving.model.artefact import VERDICT_FILE, Artefact, canonical_json, sha256
from training.acceptance import Acceptance
from training.cohort import LearningCohort
from training.evaluation.estimate import Record
from training.evaluation.record import Evaluation
from training.experiment import ValidationSection
from training.judging.gates import rehearsal_verdict, verdict
from training.judging.leakage import strongest_separation
from training.judging.verdict import Verdict


class Ruling(Record):
    """What an artefact's ``verdict.json`` holds."""

    verdict: Verdict
    acceptance: Acceptance
    """The limits as they were declared, for whoever updates the model."""
    validation: ValidationSection = ValidationSection()
    """How the fit is repeated to judge it, as declared; by default in rulings that do not say."""
    evaluation_sha256: str
    """Of ``evaluation.json``, from which the verdict follows."""


def rule(
    acceptance: Acceptance,
    validation: ValidationSection,
    evaluation: Evaluation,
    measures: Iterable[Measure],
    cohort: LearningCohort | None,
) -> Ruling:
    """Judge a model by its limits.

    Parameters
    ----------
    acceptance
        With the outcome's own limits filled in (`Acceptance.of`).
    validation
        How the experiment declares that its fit is repeated.
    measures
        Those that the manifest carries.
    cohort
        The patients of the evaluation; None for a model of no patient, which was rehearsed.
    """
    if cohort is None:
        found = rehearsal_verdict(evaluation, measures, acceptance.rehearsal)
    else:
        found = verdict(evaluation, acceptance, strongest_separation(cohort))
    digest = sha256(evaluation_json(evaluation))
    return Ruling(
        verdict=found, acceptance=acceptance, validation=validation, evaluation_sha256=digest
    )


def evaluation_json(evaluation: Evaluation) -> bytes:
    """Return the bytes of ``evaluation.json``."""
    return canonical_json(evaluation.model_dump(mode="json"))


def ruling_of(artefact: Artefact) -> Ruling | None:
    """Return the ruling on a model; None for one that was made before there were rulings."""
    content = artefact.files.get(VERDICT_FILE)
    return None if content is None else Ruling.model_validate_json(content)


def declared_validation(artefact: Artefact) -> ValidationSection:
    """Return how a model's experiment declared that it is judged."""
    ruling = ruling_of(artefact)
    return ruling.validation if ruling else ValidationSection()


def declared_acceptance(artefact: Artefact) -> Acceptance:
    """Return the limits that a model's experiment declared, with the outcome's own filled in."""
    ruling = ruling_of(artefact)
    return (ruling.acceptance if ruling else Acceptance()).of(artefact.model.outcome)
