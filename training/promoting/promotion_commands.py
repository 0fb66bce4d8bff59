"""What decides which model answers: promote, roll back, withdraw, list, show the history."""

from pathlib import Path
from typing import Annotated

import typer

from serving.settings import Settings
from training.plain_refusals import said_plainly
from training.screen import screen, show_rows
from training.tracking import CHALLENGER, Registry

_screen = screen(stderr=True)
TRAINED = Path("models/trained")
"""Where models are trained into unless told otherwise, under the working directory."""

OutcomeArgument = Annotated[str, typer.Argument(help="severe_crs, for example.")]
ReasonOption = Annotated[str, typer.Option(help="Kept in the ledger for ever.")]


def promote_command(
    outcome: OutcomeArgument,
    reason: ReasonOption,
    version: Annotated[str, typer.Option(help="An alias, or the start of a version.")] = CHALLENGER,
    cohort: Annotated[
        Path | None, typer.Option(help="Patients to compare it on with the version in service.")
    ] = None,
    override: Annotated[
        bool, typer.Option("--override", help="Although a limit is not kept; needs --who.")
    ] = False,
    who: Annotated[str | None, typer.Option(help="The name of who answers for it.")] = None,
) -> None:
    """Let a registered version answer, if it keeps its limits and is not worse than what does."""
    from training.promoting.promotion import Beside, promote
    from training.saving import EVALUATIONS

    with said_plainly():
        done = promote(
            Registry(_home()),
            _store(),
            outcome,
            version=version,
            reason=reason,
            beside=Beside(TRAINED / EVALUATIONS, cohort),
            signed_by=who,
            override=override,
        )
    if done is None:
        _screen.print(f"{outcome}: this version answers already, as it was promoted before")
        return
    if done.compared:
        _screen.print(f"{outcome}: {done.compared}", soft_wrap=True)
    for said in done.overridden:
        _screen.print(f"{outcome}: overridden: {said}", soft_wrap=True)
    _screen.print(f"{outcome}: {done.version} answers now (before: {done.version_before})")
    if done.overridden:
        _screen.print(f"every answer will carry the caution limits_not_kept because of {outcome}")


def rollback_command(outcome: OutcomeArgument, reason: ReasonOption) -> None:
    """Let the version before the present one answer again."""
    from training.promoting.promotion import rollback

    with said_plainly():
        done = rollback(Registry(_home()), _store(), outcome, reason=reason)
    _screen.print(f"{done.outcome}: {done.version} answers again (before: {done.version_before})")


def withdraw_command(
    outcome: OutcomeArgument,
    reason: ReasonOption,
    who: Annotated[str, typer.Option(help="The name of who answers for it.")],
) -> None:
    """Take an outcome out of service, whatever answered before; `rollback` lets it answer again."""
    from training.promoting.withdrawal import withdraw

    with said_plainly():
        done = withdraw(Registry(_home()), _store(), outcome, reason=reason, signed_by=who)
    said = f"{outcome}: no version answers now (before: {done.version_before})"
    _screen.print(said, soft_wrap=True)


def history_command(outcome: OutcomeArgument) -> None:
    """Show who let which version answer, when and why, what was overridden; as CSV to a pipe."""
    from training.promoting.ledger import Ledger

    with said_plainly():
        lines = [p for p in Ledger(_store()).lines() if p.outcome == outcome]
    if not lines:
        _screen.print(f"no version of {outcome} has answered yet")
        return
    rows = [
        (
            p.when,
            f"{p.signed_by} ({p.who})" if p.signed_by else p.who,
            p.act,
            p.version,
            p.version_before or "",
            p.reason,
            "\n".join(p.overridden),
        )
        for p in lines
    ]
    header = ("when", "who", "act", "version", "before", "reason", "overridden")
    show_rows(header, rows, whole=("version", "before"), title=outcome)


def models_command() -> None:
    """List registered versions and what answers now; as CSV to a pipe."""
    from training.promoting.ledger import Ledger

    with said_plainly():
        ledger = Ledger(_store())
        rows = [
            (
                r.outcome,
                r.version,
                ", ".join(r.aliases),
                "yes" if ledger.current(r.outcome) == r.version else "",
                r.accepted,
                str(r.real_patients),
                str(r.simulated_patients),
                r.local_deviation,
            )
            for r in Registry(_home()).versions()
        ]
    about = ("accepted", "real", "simulated", "deviation")
    header = ("outcome", "version", "aliases", "answers", *about)
    show_rows(header, rows, whole=("version",))


def _store() -> Path:
    return Settings.from_environment().store


def _home() -> Path:
    return _store().parent
