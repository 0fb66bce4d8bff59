"""What the command line shows of a run, of an external validation and of an update."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from data_schemas.model_manifest import ModelManifest
from serving.model.artefact import Artefact
from training.evaluation.estimate import Estimate
from training.evaluation.record import Evaluation
from training.judging.external_validation import ExternalValidation
from training.judging.judgement import HEADLINE
from training.judging.ruling import ruling_of
from training.judging.verdict import Verdict
from training.learning.updating import EVENTS_FOR_CLOSED_TEST
from training.pipeline import Run
from training.recalibration import Recalibrated


def show_notices(screen: Console, notices: Iterable[str]) -> None:
    """Show what was noticed of a cohort."""
    for notice in notices:
        screen.print(f"note: {notice}")


def show_model(screen: Console, artefact: Artefact, answers: str | None) -> None:
    """Show which version is meant, and whether it is the one in service.

    Parameters
    ----------
    answers
        The version in service for the same outcome, if any.
    """
    if artefact.version == answers:
        said = "in service"
    else:
        said = f"not in service, where {answers or 'no version'} answers"
    outcome = artefact.model.outcome
    screen.print(f"model: {outcome} {artefact.version}, {said}", soft_wrap=True)


def show_trained(screen: Console, runs: list[Run]) -> None:
    """Show on whom each model rests and how well it does."""
    table = Table(title="What was trained")
    table.add_column("", overflow="fold", min_width=24)
    for run in runs:
        table.add_column(run.experiment.outcome.name, overflow="fold")
    manifests = [run.artefact.manifest for run in runs]
    table.add_row("version", *(run.artefact.version for run in runs))
    table.add_row("real patients", *(str(m.cohort.real_patients) for m in manifests))
    table.add_row("simulated patients", *(str(m.cohort.simulated_patients) for m in manifests))
    table.add_row("local deviation", *(m.local_deviation for m in manifests))
    table.add_section()
    for name in dict.fromkeys(m.name for manifest in manifests for m in manifest.performance):
        table.add_row(name, *(_measured(manifest, name) for manifest in manifests))
    judged_on = {m.on for manifest in manifests for m in manifest.performance}
    table.caption = "measured on " + "; ".join(sorted(judged_on)) if judged_on else "not measured"
    screen.print(table)
    for run in runs:
        show_verdict(screen, run.artefact)


def show_verdict(screen: Console, artefact: Artefact) -> None:
    """Show whether a model may answer, and each limit that it does not keep."""
    ruling = ruling_of(artefact)
    assert ruling is not None  # every saved model has one
    _show(screen, artefact, ruling.verdict)


def _show(screen: Console, artefact: Artefact, verdict: Verdict) -> None:
    said = f"{artefact.model.outcome}: {verdict.in_words}"
    broken = [f"  - {limit.in_words}" for limit in verdict.limits if not limit.met]
    screen.print("\n".join([said, *broken]), soft_wrap=True, highlight=False)


def _measured(manifest: ModelManifest, name: str) -> str:
    values = [m.value for m in manifest.performance if m.name == name]
    return f"{values[0]:.3f}" if values else ""


def show_external(screen: Console, artefact: Artefact, found: ExternalValidation) -> None:
    """Show how a finished model did on patients new to it, its verdict, and what may be updated."""
    evaluation = found.evaluation
    screen.print(_measured_table(artefact, evaluation))
    if evaluation.comparisons:
        screen.print(_comparisons_table(evaluation))
    _show(screen, artefact, found.verdict)
    if not evaluation.sample_size.met:
        screen.print(
            "fewer patients than guidance asks for a validation: read the intervals, not the values"
        )
    screen.print(f"an update would be: {found.update.in_words}", soft_wrap=True)
    if not found.update.changes:
        advisory = found.advisory.in_words
        screen.print(f"what the events point to, not to be applied: {advisory}", soft_wrap=True)
    others = evaluation.patients - evaluation.events
    if min(evaluation.events, others) >= EVENTS_FOR_CLOSED_TEST:
        screen.print("with so many events `cart-risk train` may learn new effects from them, too")


def _measured_table(artefact: Artefact, evaluation: Evaluation) -> Table:
    title = f"{artefact.model.outcome} {artefact.version} on {evaluation.on}"
    caption = f"{evaluation.patients} patients, {evaluation.events} events; 95 % intervals"
    table = Table("measure", "value", "interval", title=title, caption=caption)
    assert evaluation.headline is not None
    estimates = evaluation.headline.measures.estimates()
    for name in HEADLINE:
        table.add_row(name, *_in_cells(estimates[name]))
    return table


def _comparisons_table(evaluation: Evaluation) -> Table:
    caption = "log-loss of the model less that of the other; below 0 is for the model"
    table = Table("beside", "patients", "difference", "interval", caption=caption)
    for beside in evaluation.comparisons:
        cells = _in_cells(beside.log_loss_difference)
        table.add_row(beside.comparator, str(beside.patients), *cells)
    return table


def _in_cells(estimate: Estimate) -> tuple[str, str]:
    if estimate.value is None:
        return "", estimate.reason or ""
    value = f"{estimate.value:.3f}"
    if estimate.low is None or estimate.high is None:
        return value, estimate.reason or ""
    return value, f"{estimate.low:.3f} to {estimate.high:.3f}"


def show_recalibration(screen: Console, artefact: Artefact, found: Recalibrated) -> None:
    """Show whether a model was updated, by which numbers."""
    screen.print(_measured_table(artefact, found.before.evaluation))
    update, loss = found.before.update.in_words, f"log-loss {found.log_loss_before:.4f}"
    if found.log_loss_after is not None:
        loss += f", updated {found.log_loss_after:.4f} after correction for optimism"
    kept = "kept, no update" if found.artefact is None else "updated"
    screen.print(f"{kept}: {update}; {loss}", soft_wrap=True)
    if found.artefact is not None:
        show_verdict(screen, found.artefact)
