"""``cart-risk log-cohort``: patients and outcomes of the assessment log, to learn from."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.log_commands import log_home
from training.plain_refusals import said_plainly
from training.screen import screen

if TYPE_CHECKING:
    from training.reported_cohort import ReportedCohort

_screen = screen(stderr=True)


def log_cohort_command(
    out: Annotated[Path, typer.Option(help="A .csv or .parquet file, for its owner only.")],
    site: Annotated[str, typer.Option(help="What this centre is called among others.")],
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Only patients infused on this day or later: those before had their say.",
        ),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The patients were invented: a rehearsal.")
    ] = False,
) -> None:
    """Export assessed patients with their reported outcomes as a cohort; needs the site key.

    One row for each patient, for `train`, `evaluate` and `recalibrate`. The file holds patients'
    data in clear.
    """
    from serving.assessed_patients import assessed_patients
    from serving.assessment_log.exports import note_export
    from serving.assessment_log.reported import reported_assessments
    from training.reported_cohort import (
        NUMBERED,
        cohort_file_to_be,
        expect_cohort_file,
        reported_cohort,
    )
    from training.saving import expect_writable

    with said_plainly():
        expect_cohort_file(out)
        expect_writable(out.parent, "--out")
    with log_home() as home:
        found = assessed_patients(reported_assessments(home))
        with said_plainly():
            day = since.date() if since else None
            cohort = reported_cohort(found, site, since=day, simulated=simulated)
            with cohort_file_to_be(cohort.table, out):
                note_export(home, cohort.assessments)
    numbered = cohort.table["patient_id"].str.startswith(NUMBERED)
    _tell(out, cohort, int(numbered.sum()))


def _tell(out: Path, cohort: "ReportedCohort", without_reference: int) -> None:
    said = [
        f"{out}: {len(cohort.table)} patients with reported outcomes",
        "it holds patients' data in clear; only its owner may read it: keep it as the log is kept, "
        "and delete it after use, for what is erased in the log stays in it",
        *(f"left out: {n} assessments {reason}" for reason, n in cohort.left_out.items()),
        *(f"left out: {n} patients {reason}" for reason, n in cohort.patients_left_out.items()),
    ]
    if without_reference:
        said.append(
            f"{without_reference} came without a reference: whoever was assessed twice, and both "
            "times with a reported outcome, counts twice"
        )
    said.append(
        "whoever treated these patients may have known their risks: where that prevented an "
        "outcome, a model will look as if its risks were too high"
    )
    _screen.print("\n".join(said), soft_wrap=True, highlight=False)
