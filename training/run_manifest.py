"""What a finished run says of itself: the manifest of its artefact."""

import platform
from importlib.metadata import version

from data_schemas.evidence import load_evidence
from data_schemas.model_manifest import (
    CohortStatement,
    EvidenceStatement,
    Measure,
    ModelManifest,
    OutcomeStatement,
)
from data_schemas.outcomes import Outcome
from serving.model.artefact import canonical_json, sha256
from serving.model.joint_risk import Association
from training.cohort import LearningCohort
from training.experiment import Experiment
from training.learning.learner import Learnt
from training.learning.prior import ModelPrior
from training.synthesis.transport import TRANSPORT_ROWS

_PACKAGES = ("cart-risk", "numpy", "scipy", "scikit-learn", "xgboost-cpu", "pandas")


def run_manifest(
    experiment: Experiment,
    outcome: Outcome,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort | None,
    performance: tuple[Measure, ...],
) -> ModelManifest:
    """Return the manifest without the hashes of files, which saving adds."""
    return ModelManifest(
        experiment=experiment.name,
        outcome=OutcomeStatement(
            name=outcome.name,
            label=outcome.label,
            definition=outcome.definition,
            horizon_days=outcome.horizon_days,
            reference=outcome.reference,
        ),
        learner=experiment.learner.name,
        seed=experiment.seed,
        cohort=_cohort_statement(cohort, learnt),
        evidence=_evidence_statement(model_prior, learnt.model.association),
        local_deviation=learnt.local_deviation,
        directions_released=learnt.released,
        untaught=learnt.untaught,
        performance=performance,
        software=software(),
        files={},
    )


def software() -> dict[str, str]:
    """Return the versions that a model was made by."""
    python = {"python": ".".join(platform.python_version_tuple()[:2])}
    return {name: version(name) for name in _PACKAGES} | python


def _cohort_statement(cohort: LearningCohort | None, learnt: Learnt) -> CohortStatement:
    """Say who had a hand in the model: nobody, where a cohort was read but nothing was fitted."""
    if cohort is None or learnt.patients == 0:
        return CohortStatement(patients=0, real_patients=0, simulated_patients=0, events=0, sites=0)
    return CohortStatement(
        patients=learnt.patients,
        real_patients=0 if cohort.synthetic else learnt.patients,
        simulated_patients=learnt.patients if cohort.synthetic else 0,
        events=cohort.events,
        sites=len(set(cohort.site.tolist())),
        fingerprint=cohort.fingerprint,
    )


def _evidence_statement(
    model_prior: ModelPrior, association: Association | None
) -> EvidenceStatement:
    evidence = load_evidence()
    ids = {i for effect in model_prior.effects for i in effect.sources}
    ids |= {i for cell in model_prior.cells for i in cell.sources}
    if any(effect.as_published is not None for effect in model_prior.effects):
        ids.update(TRANSPORT_ROWS)
    if association is not None:
        ids.update(association.sources)
    rows = [evidence.row(row_id) for row_id in sorted(ids)]
    content = canonical_json([row.model_dump(mode="json") for row in rows])
    unread = tuple(row.id for row in rows if row.verified != "read")
    return EvidenceStatement(fingerprint=sha256(content), rows=len(rows), unread_rows=unread)
