"""The command line: ``python -m training`` or ``cart-risk``.

Each command imports what it needs: nobody waits for MLflow who asks for help.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from data_schemas.evidence import load_evidence
from serving.log_commands import log_app
from serving.model.artefact import Artefact
from serving.model.store import current_version, load_current, make_current, withdrawn
from serving.openapi import EXAMPLE_PATIENT
from serving.settings import Settings
from training.column_commands import columns_command
from training.key_commands import development_key, keys_app
from training.log_cohort_command import log_cohort_command
from training.plain_refusals import said_plainly
from training.port_check import expect_free
from training.promoting.promotion_commands import (
    TRAINED,
    history_command,
    models_command,
    promote_command,
    rollback_command,
    withdraw_command,
)
from training.screen import screen
from training.tracking import Registry

if TYPE_CHECKING:
    from training.pipeline import Run

app = typer.Typer(
    help="Risk of severe CRS and ICANS before CAR-T infusion: train, judge, score, promote.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys_app, name="keys")
app.add_typer(log_app)
for _name, _command in (
    ("columns", columns_command),
    ("promote", promote_command),
    ("rollback", rollback_command),
    ("withdraw", withdraw_command),
    ("history", history_command),
    ("models", models_command),
    ("log-cohort", log_cohort_command),
):
    app.command(_name)(_command)
_screen = screen(stderr=True)
_DEFAULT_EXPERIMENTS = ("severe_crs", "severe_icans")
_STAYS_WITHDRAWN = (
    "{outcome} was withdrawn and stays out of service: `cart-risk history {outcome}` says by whom "
    "and why, `cart-risk rollback {outcome} --reason TEXT` lets it answer again"
)

ModelsOption = Annotated[
    Path | None, typer.Option("--models", help="A directory of its own, apart from the service.")
]
ModelOption = Annotated[
    str,
    typer.Option(
        help="severe_crs for the version in service, severe_crs@challenger for the one trained "
        "last, or an artefact's folder."
    ),
]
CohortOption = Annotated[Path, typer.Option(help="A cohort table with the model's outcome.")]


@app.command("simulate")
def simulate_command(
    out: Annotated[Path, typer.Option(help="A .parquet or .csv file; the truth lies beside it.")],
    n: Annotated[int, typer.Option(min=1, help="Patients.")] = 2000,
    sites: Annotated[int, typer.Option(min=1, help="Centres.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Draw a multi-centre cohort whose truth differs from the published evidence."""
    from training.simulation.synthetic_cohort import simulate, write

    with said_plainly():
        table, truth = write(simulate(n, sites, seed), out)
    _screen.print(f"{n} simulated patients of {sites} centres: {table}; true risks: {truth}")


@app.command("train")
def train_command(
    experiment: Annotated[Path, typer.Argument(help="experiments/severe_crs.toml, for example.")],
    cohort: Annotated[
        Path | None, typer.Option(help="Without one: published evidence only.")
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Train one experiment; the model becomes a challenger, or current in ``--models``."""
    from training.report.page import PAGE_FILE
    from training.run_record import of_training
    from training.terminal import show_notices, show_trained

    with said_plainly():
        run = _train(experiment, cohort, _trained_into(models))
        registered = Registry(models or _registry_home()).record(of_training(run))
        if models is not None:
            make_current(models, run.artefact)
    show_notices(_screen, run.notices)
    show_trained(_screen, [run])
    _screen.print(f"artefact {run.artefact.folder}, registered as version {registered.number}")
    _screen.print(f"report {run.evaluation_folder / PAGE_FILE}")


@app.command("evaluate")
def evaluate_command(
    model: ModelOption,
    cohort: CohortOption,
    out: Annotated[
        Path | None, typer.Option(help="A directory for the report and what it was made of.")
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Judge a finished model on the patients of another centre; nothing is fitted to them."""
    from training.judging.external_validation import evaluate_on, external_cohort
    from training.report.page import PAGE_FILE
    from training.reporting import report_elsewhere
    from training.saving import expect_writable, write_evaluation
    from training.terminal import show_external, show_notices

    with said_plainly():
        if out is not None:
            expect_writable(out, "--out")
        artefact = _meant(model, models)
        found = evaluate_on(artefact, external_cohort(artefact, cohort, _judged(artefact, models)))
        if out is not None:
            write_evaluation(out, found.scored, found.evaluation)
            report_elsewhere(out, artefact, found)
    show_notices(_screen, found.cohort.notices)
    show_external(_screen, artefact, found)
    if out is not None:
        _screen.print(f"report {out / PAGE_FILE}")


@app.command("recalibrate")
def recalibrate_command(
    model: ModelOption, cohort: CohortOption, models: ModelsOption = None
) -> None:
    """Update a model by a centre's own patients as far as their events allow, or keep it.

    Intercept and slope only; new effects need `train`. The new version becomes a challenger.
    """
    from training.judging.external_validation import external_cohort
    from training.recalibration import recalibrate
    from training.run_record import run_record
    from training.saving import EVALUATIONS
    from training.terminal import show_notices, show_recalibration

    with said_plainly():
        store, artefact = _trained_into(models), _meant(model, models)
        new = external_cohort(artefact, cohort, _judged(artefact, models))
        found = recalibrate(artefact, new, store)
        registered = None
        if found.artefact is not None:
            folder = store / EVALUATIONS / found.artefact.version
            assert found.judged is not None  # what is saved was judged
            record = run_record(found.artefact, *found.judged, folder)
            registered = Registry(models or _registry_home()).record(record)
            if models is not None:
                make_current(models, found.artefact)
    show_notices(_screen, found.before.cohort.notices)
    show_recalibration(_screen, artefact, found)
    if found.artefact is not None and registered is not None:
        _screen.print(
            f"artefact {found.artefact.folder}, registered as version {registered.number}"
        )


@app.command("score")
def score_command(
    cohort: Annotated[Path, typer.Option(help="A cohort table; outcomes need not be there.")],
    out: Annotated[Path, typer.Option(help="A .parquet or .csv file.")],
    models: ModelsOption = None,
) -> None:
    """Score a cohort with the models in service, or with those of ``--models``."""
    from training.scoring import score_file
    from training.terminal import show_notices

    with said_plainly():
        scored, notices = score_file(cohort, out, models or Settings.from_environment().store)
    show_notices(_screen, notices)
    for column in [c for c in map(str, scored) if c.endswith("_status")]:
        counts = ", ".join(f"{k} {v}" for k, v in scored[column].value_counts().items())
        _screen.print(f"{column}: {counts}")


@app.command("evidence")
def evidence_command(
    experiment: Annotated[Path, typer.Argument(help="experiments/severe_crs.toml, for example.")],
) -> None:
    """Show what is believed before any patient, and the rows it rests on."""
    from training.experiment import ExperimentRefused, read_experiment
    from training.learning.prior import evidence_prior

    with said_plainly():
        asked = read_experiment(experiment)
        if not asked.anchor.evidence:
            raise ExperimentRefused(f"{asked.name} starts from its own cohort: nothing to show")
        believed = evidence_prior(load_evidence(), asked)
    effects = Table("term", "mean", "sd", "as published", "sources", title="Effects")
    for term, effect in zip(believed.terms, believed.effects, strict=True):
        published = "" if effect.as_published is None else f"{effect.as_published:.2f}"
        sources = ", ".join(effect.sources) + (" (unread)" if effect.unread else "")
        numbers = f"{effect.mean:.2f}", f"{effect.sd:.2f}", published
        effects.add_row(term.name, *numbers, sources or effect.how)
    effects.caption = "log-odds per spread of the term"
    rates = Table("product", "disease", "risk", "90 % interval", "cohorts", title="Base rates")
    for cell in believed.cells:
        interval = f"{100 * cell.low:.1f} to {100 * cell.high:.1f} %"
        cohorts = (", ".join(cell.sources) or cell.origin) + " (some unread)" * cell.holds_unread
        rates.add_row(
            cell.product, cell.disease, f"{100 * cell.base_rate:.1f} %", interval, cohorts
        )
    for table in (effects, rates):
        table.columns[-1].overflow = "fold"  # an identifier that is cut cannot be looked up
        screen().print(table)


@app.command("prepare")
def prepare_command(
    experiments: Annotated[Path, typer.Option(help="Where the default experiments lie.")] = Path(
        "experiments"
    ),
    port: Annotated[int, typer.Option(help="Where the service will listen.")] = 3000,
) -> None:
    """Train and promote the default models where none is in service; print a request to try.

    An outcome that was withdrawn stays withdrawn.
    """
    with said_plainly():
        # Before the key of a service that still runs there is taken from it.
        expect_free(port)
        store = Settings.from_environment().store
        in_service, taken_out = load_current(store), withdrawn(store)
        for name in sorted(taken_out):
            _screen.print(_STAYS_WITHDRAWN.format(outcome=name), soft_wrap=True)
        if missing := [n for n in _DEFAULT_EXPERIMENTS if n not in {*in_service, *taken_out}]:
            _prepare([experiments / f"{name}.toml" for name in missing], store)
    body, (key, ends_another) = json.dumps(EXAMPLE_PATIENT), development_key()
    print(
        "Once the service is up, try (an invented patient):\n\n"
        f"curl -s http://127.0.0.1:{port}/v1/assess -H 'authorization: Bearer {key}' "
        f"-H 'content-type: application/json' -d '{body}'\n\n"
        "The key opens everything for one day; the page asks for it too.\n"
        + "The key of the last start opens nothing any more.\n"
        * ends_another,
        flush=True,
    )


def _prepare(experiments: list[Path], store: Path) -> None:
    from training.promoting.promotion import Beside, promote
    from training.run_record import of_training
    from training.saving import EVALUATIONS
    from training.terminal import show_trained

    runs = [_train(experiment, None, TRAINED) for experiment in experiments]
    registry = Registry(_registry_home())
    for run in runs:
        # Whoever has trained a challenger already goes on judging and promoting that one.
        registry.record(of_training(run), yields=True)
        beside, outcome = Beside(TRAINED / EVALUATIONS), run.experiment.outcome.name
        version = run.artefact.version
        promote(registry, store, outcome, version=version, reason="default model", beside=beside)
    show_trained(_screen, runs)


def _trained_into(models: Path | None) -> Path:
    """Return where a new version is kept, once it is sure that it can be, and answers nobody."""
    from training.saving import expect_apart, expect_writable

    if models is not None:
        expect_apart(models, Settings.from_environment().store)
    expect_writable(models or TRAINED, "--models")
    return models or TRAINED


def _registry_home() -> Path:
    return Settings.from_environment().store.parent


def _meant(model: str, models: Path | None) -> Artefact:
    """Return the model that somebody means, and show which one that is."""
    from training.model_lookup import find_model
    from training.terminal import show_model

    in_service = Settings.from_environment().store
    registry = Registry(models or _registry_home())
    with tempfile.TemporaryDirectory() as fetched:
        artefact = find_model(model, models or in_service, registry, Path(fetched))
    show_model(_screen, artefact, current_version(in_service, artefact.model.outcome))
    return artefact


def _judged(artefact: Artefact, models: Path | None) -> Path:
    """Return where it is kept how a model was judged: in the store that it lies in, if anywhere."""
    from training.saving import EVALUATIONS

    beside = artefact.folder.parents[1] / EVALUATIONS
    return beside if beside.is_dir() else (models or TRAINED) / EVALUATIONS


def _train(experiment: Path, cohort: Path | None, store: Path) -> "Run":
    from training.pipeline import train

    doing_what = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), doing_what, BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_screen) as bar:
        task = bar.add_task(experiment.stem, total=1.0)

        def progress(doing: str, share: float) -> None:
            bar.update(task, description=f"{experiment.stem}: {doing}", completed=share)

        return train(experiment, cohort, store, progress)


if __name__ == "__main__":
    sys.exit(app())
