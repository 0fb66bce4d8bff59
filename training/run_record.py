"""What the tracking store is told of a run: everything that a colleague needs, and no patient.

Numbers, files and fingerprints; the scored cohort, whose rows are patients, stays where it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_schemas.model_manifest import ModelManifest
from serving.assess import model_statement
from serving.model.artefact import Artefact
from training.evaluation.estimate import Estimate
from training.evaluation.record import Evaluation
from training.evaluation.scored_cohort import ScoredCohort
from training.experiment import Experiment
from training.judging.repetitions import Number, Repetition, repetitions, with_ends
from training.judging.ruling import ruling_of
from training.judging.verdict import Verdict
from training.saving import EVALUATION_FILE

if TYPE_CHECKING:
    from training.pipeline import Run

SHARED_FILES = (EVALUATION_FILE, "report.json", "report.html")
"""Of an evaluation's folder, those that hold no row of a patient."""


@dataclass(frozen=True)
class LearntFrom:
    """A cohort, or the published evidence, by fingerprint: no row and no file name."""

    name: str
    fingerprint: str
    of_patients: bool
    profile: Mapping[str, int]


@dataclass(frozen=True)
class RunRecord:
    """All that is told of one run."""

    artefact: Artefact
    note: str
    """Markdown for the first page of the run."""
    accepted: bool
    evaluation_sha256: str
    parameters: Mapping[str, str]
    numbers: tuple[Number, ...]
    learnt_from: tuple[LearntFrom, ...]
    repetitions: tuple[Repetition, ...]
    files: Mapping[str, bytes]
    """By path within the run."""
    began: float | None
    """Seconds since 1970."""


def of_training(run: "Run") -> RunRecord:
    """Return what is told of a model that was trained."""
    judgement = run.judgement
    return run_record(
        run.artefact,
        judgement.scored,
        judgement.evaluation,
        run.evaluation_folder,
        experiment=run.experiment,
        figures=run.figures,
        began=run.began,
    )


def run_record(
    artefact: Artefact,
    scored: ScoredCohort,
    evaluation: Evaluation,
    folder: Path,
    *,
    experiment: Experiment | None = None,
    figures: Mapping[str, bytes] | None = None,
    began: float | None = None,
) -> RunRecord:
    """Return what is told of a model and of how it was judged.

    Parameters
    ----------
    folder
        Where the evaluation, and a report of it, were written.
    experiment
        None for a model that was updated rather than trained.
    figures
        PNG by file name.
    began
        Seconds since 1970 when the work began; None where it is not known.
    """
    ruling = ruling_of(artefact)
    assert ruling is not None  # every saved model has one
    manifest = artefact.manifest
    return RunRecord(
        artefact=artefact,
        note=_note(manifest, ruling.verdict),
        accepted=bool(ruling.verdict.accepted),
        evaluation_sha256=ruling.evaluation_sha256,
        parameters=_parameters(artefact, experiment),
        numbers=tuple(_numbers(manifest, evaluation, ruling.verdict)),
        learnt_from=tuple(_learnt_from(manifest)),
        repetitions=tuple(repetitions(scored, evaluation)),
        files={f"figures/{name}": png for name, png in (figures or {}).items()}
        | {n: (folder / n).read_bytes() for n in SHARED_FILES if (folder / n).is_file()},
        began=began,
    )


def _note(manifest: ModelManifest, verdict: Verdict) -> str:
    lines = [f"**{model_statement(manifest)}**", "", f"{verdict.in_words}", ""]
    lines += [f"- {'kept' if x.met else '**not kept**'}: {x.in_words}" for x in verdict.limits]
    return "\n".join(lines)


def _parameters(artefact: Artefact, experiment: Experiment | None) -> dict[str, str]:
    manifest = artefact.manifest
    predictors = dict.fromkeys(term.predictor for term in artefact.model.terms)
    asked = experiment.model_dump(mode="json", exclude_none=True) if experiment else {}
    return {name: value for name, value in _flat("", asked) if name not in ("name", "seed")} | {
        "outcome": manifest.outcome.name,
        "learner": manifest.learner,
        "seed": str(manifest.seed),
        "predictors": ", ".join(predictors),
        "cohort_fingerprint": manifest.cohort.fingerprint or "no cohort",
        "evidence_fingerprint": manifest.evidence.fingerprint,
        "local_deviation": manifest.local_deviation,
    }


def _flat(prefix: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in said.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            listed = isinstance(value, list)
            yield f"{prefix}{key}", ", ".join(map(str, value)) if listed else str(value)


def _numbers(manifest: ModelManifest, evaluation: Evaluation, verdict: Verdict) -> Iterator[Number]:
    """Yield the leading numbers by their plain names, the others by where they come from."""
    for m in manifest.performance:
        yield from with_ends(m.name, m.value, m.low, m.high)
    for name, estimate in _other_estimates(evaluation):
        yield from with_ends(name, estimate.value, estimate.low, estimate.high)
    yield Number("limits/asked", len(verdict.limits))
    yield Number("limits/not_kept", sum(not limit.met for limit in verdict.limits))


def _other_estimates(evaluation: Evaluation) -> Iterator[tuple[str, Estimate]]:
    if evaluation.apparent:
        for name, estimate in evaluation.apparent.measures.estimates().items():
            yield f"apparent/{name}", estimate
    if corrected := evaluation.optimism_corrected:
        for name in ("auroc", "calibration_slope", "brier", "log_loss", "ici"):
            yield f"optimism_corrected/{name}", getattr(corrected, name).corrected
    for beside in evaluation.comparisons:
        yield f"beside_{beside.comparator}/log_loss_difference", beside.log_loss_difference
        yield f"beside_{beside.comparator}/auroc_difference", beside.auroc_difference
    for across in evaluation.across:
        for name in ("auroc", "calibration_slope", "observed_over_expected"):
            if pooled := getattr(across, name):
                yield f"across_{across.by}/{name}", pooled.mean


def _learnt_from(manifest: ModelManifest) -> Iterator[LearntFrom]:
    cohort, evidence = manifest.cohort, manifest.evidence
    if cohort.patients:
        kind = "simulated cohort" if cohort.is_simulated else "cohort"
        counts = {"events": cohort.events, "sites": cohort.sites}
        yield LearntFrom(kind, cohort.fingerprint, True, {"num_rows": cohort.patients, **counts})
    if evidence.rows:
        unread = {"unread_rows": len(evidence.unread_rows)}
        profile = {"num_rows": evidence.rows, **unread}
        yield LearntFrom("published evidence", evidence.fingerprint, False, profile)
