"""Reports of each kind: developed, tried elsewhere, rehearsed, and of too few patients."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data_schemas.outcomes import OUTCOMES
from serving.model.artefact import Artefact
from tests.training.conftest import PREDICTORS, ExperimentWriter, experiment_text
from tests.training.report.reading import Seen, read
from training.code_state import CodeState
from training.cohort import LearningCohort, learning_cohort
from training.judging.external_validation import evaluate_on, external_cohort
from training.judging.verdict import NO_LIMITS, Limit, Verdict
from training.pipeline import Run, train
from training.report.build import report
from training.report.figures import Drawing, drawings
from training.report.page import page, report_json
from training.report.record import Report, Updating
from training.simulation.synthetic_cohort import simulate, write

OUTCOME = OUTCOMES["severe_icans"]
CODE = CodeState(commit="c0ffee", uncommitted_changes=False)
OTHERS = ("sex", "tumour_burden", "prior_lines", "neuro_comorbidity")
NASTY_SITE = "<b>St. Mary's & Sons</b>"
REFUSED = Verdict(
    accepted=False,
    in_words="May not answer: one of two limits is not kept.",
    limits=(
        Limit(name="kept", at_least=0.5, reached=0.75, met=True, in_words="AUROC 0.75 is kept."),
        Limit(name="broken", at_most=0.02, reached=0.5, met=False, in_words="ICI 0.50 is too far."),
    ),
)


@dataclass(frozen=True)
class Told:
    """A report, its JSON and its page, as they are written and as they are read."""

    report: Report
    page: str
    json: dict[str, Any]
    seen: Seen
    drawn: list[Drawing]
    table: pd.DataFrame | None
    cohort: LearningCohort | None
    artefact: Artefact


def told(
    found: Report, artefact: Artefact, cohort: LearningCohort | None, table: pd.DataFrame | None
) -> Told:
    drawn = list(drawings(found))
    html = page(found, drawn)
    numbers = json.loads(report_json(found))
    return Told(found, html, numbers, read(html), drawn, table, cohort, artefact)


@pytest.fixture(scope="session")
def developed(experiment_file: ExperimentWriter, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A model of 300 simulated patients, with refits and a declared threshold."""
    folder = tmp_path_factory.mktemp("developed")
    cohort_file = write(simulate(300, 3, 5), folder / "centre.parquet")[0]
    text = experiment_text(predictors=(*PREDICTORS, *OTHERS))
    text = text.replace("bootstrap_refits = 3", "bootstrap_refits = 20\nthresholds = [0.2]")
    run = train(experiment_file(text), cohort_file, folder / "store")
    return of_run(run, cohort_file, REFUSED)


def of_run(run: Run, cohort_file: Path, verdict: Verdict = NO_LIMITS) -> Told:
    other = OUTCOMES[run.experiment.together.other] if run.experiment.together else None
    cohort = learning_cohort(cohort_file, OUTCOME, other)
    found = report(
        run.artefact,
        run.judgement.evaluation,
        verdict,
        CODE,
        cohort=cohort,
        experiment=run.experiment,
    )
    return told(found, run.artefact, cohort, pd.read_parquet(cohort_file))


@pytest.fixture(scope="session")
def few(experiment_file: ExperimentWriter, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A model of 40 simulated patients, one of whom had the outcome: no view may lead."""
    folder = tmp_path_factory.mktemp("few")
    table = simulate(300, 1, 5).table
    severe = table["icans_grade"] >= 3
    chosen = pd.concat([table[severe].head(1), table[~severe & table["icans_grade"].notna()]])
    cohort_file = folder / "few.parquet"
    chosen.head(40).dropna(axis=1, how="all").to_parquet(cohort_file)
    run = train(experiment_file(), cohort_file, folder / "store")
    return of_run(run, cohort_file)


@pytest.fixture(scope="session")
def rehearsed(evidence_run: Run) -> Told:
    """A model of no patient."""
    found = report(
        evidence_run.artefact,
        evidence_run.judgement.evaluation,
        NO_LIMITS,
        CODE,
        cohort=None,
        experiment=evidence_run.experiment,
    )
    return told(found, evidence_run.artefact, None, None)


Elsewhere = Callable[[pd.DataFrame], Told]


@pytest.fixture(scope="session")
def elsewhere(evidence_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Try the model of no patient on a table that does not say that it was simulated."""

    def tried(table: pd.DataFrame) -> Told:
        cohort_file = tmp_path_factory.mktemp("elsewhere") / "centre.parquet"
        table.drop(columns="synthetic").dropna(axis=1, how="all").to_parquet(cohort_file)
        artefact = evidence_run.artefact
        cohort = external_cohort(artefact, cohort_file, Path("nowhere"))
        found = evaluate_on(artefact, cohort)
        updating = Updating(allowed=found.update.in_words, advisory=found.advisory.in_words)
        written = report(
            artefact,
            found.evaluation,
            REFUSED,
            CODE,
            cohort=cohort,
            experiment=None,
            updating=updating,
        )
        return told(written, artefact, cohort, table)

    return tried


@pytest.fixture(scope="session")
def external(elsewhere: Elsewhere) -> Told:
    """Four hundred patients of two sites, one of which has a name that is markup."""
    table = simulate(400, 2, 11).table
    return elsewhere(table.replace({"site": {"simulated-01": NASTY_SITE}}))


@pytest.fixture(scope="session")
def without_events(elsewhere: Elsewhere) -> Told:
    """Twenty patients none of whom had the outcome."""
    table = simulate(300, 2, 11).table
    return elsewhere(table[table["icans_grade"] < 3].head(20))


KINDS = ("developed", "external", "rehearsed", "few", "without_events")


@pytest.fixture(params=KINDS)
def each(request: pytest.FixtureRequest) -> Told:
    return request.getfixturevalue(request.param)
