"""The command line does what it says, and says what went wrong without a traceback."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from data_schemas.cohort_columns import cohort_columns
from data_schemas.evidence import load_evidence
from serving.model.store import load_current
from training.__main__ import app
from training.evaluation.evaluate import evaluate
from training.evaluation.record import Evaluation
from training.experiment import read_experiment
from training.judging.scored_file import load
from training.learning.prior import evidence_prior
from training.promoting.ledger import Ledger
from training.report.record import Report
from training.saving import expect_writable
from training.simulation.synthetic_cohort import simulate

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory whose registry, store and trained models are its own."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        environment.setenv("CART_RISK_MODELS", str(folder / "models" / "in_service"))
        environment.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def invoke(home: Path) -> Invoke:
    assert os.getcwd() == str(home)

    def invoked(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoked


def words(result: Result) -> str:
    return " ".join(result.output.split())


def refused(result: Result, kind: str) -> str:
    """Return what a refusal says: its kind, exit status 1, no traceback."""
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert f"{kind}: " in words(result)
    assert "Traceback" not in result.output
    return words(result)


@pytest.fixture(scope="module")
def cohort_file(invoke: Invoke, home: Path) -> Path:
    result = invoke("simulate", "--n", 300, "--sites", 3, "--seed", 5, "--out", "centre.parquet")
    assert result.exit_code == 0
    assert "300 simulated patients of 3 centres" in words(result)
    return home / "centre.parquet"


@pytest.fixture(scope="module")
def trained(
    invoke: Invoke, home: Path, cohort_file: Path, experiment_file: Callable[..., Path]
) -> Result:
    """A model of a simulated cohort, current in the directory of its own."""
    return invoke("train", experiment_file(), "--cohort", cohort_file, "--models", home / "models")


def test_simulate_writes_a_cohort_and_its_truth(cohort_file: Path) -> None:
    assert len(pd.read_parquet(cohort_file)) == 300
    assert len(pd.read_parquet(cohort_file.with_name("centre.truth.parquet"))) == 300


def test_train_makes_the_model_current_and_shows_on_whom_it_rests(
    trained: Result, home: Path
) -> None:
    assert trained.exit_code == 0, trained.output
    artefact = load_current(home / "models")["severe_icans"]
    said = words(trained)
    for shown in (artefact.version, "real patients", "simulated patients", "auroc"):
        assert shown in said
    assert "never clinical performance" in said
    assert "patients without a known outcome are left out" in said
    assert "registered as version 1" in said
    assert "severe_icans: May not answer: " in said
    assert "could not be measured: too few refits" in said


@pytest.mark.usefixtures("trained")
def test_score_writes_every_patient(invoke: Invoke, home: Path, cohort_file: Path) -> None:
    result = invoke(
        "score", "--cohort", cohort_file, "--out", "scored.csv", "--models", home / "models"
    )
    assert result.exit_code == 0, result.output
    assert "severe_icans_status: caution" in words(result)
    scored = pd.read_csv(home / "scored.csv")
    assert len(scored) == 300
    assert list(scored)[:2] == ["patient_id", "severe_icans"]


@pytest.mark.usefixtures("trained")
def test_a_table_to_score_in_a_likely_wrong_unit_is_scored_with_a_note(
    invoke: Invoke, home: Path, cohort_file: Path
) -> None:
    table = pd.read_parquet(cohort_file)
    table.assign(ldh_u_l=table["ldh_u_l"] * 10).to_csv(home / "tenfold.csv", index=False)
    asked = ("score", "--cohort", "tenfold.csv", "--out", "x.parquet", "--models", home / "models")
    result = invoke(*asked)
    assert result.exit_code == 0, result.output
    assert "note: ldh_u_l: read in U/L, " in words(result)
    (home / "x.parquet").unlink()


@pytest.mark.usefixtures("trained")
def test_a_challenger_is_promoted_listed_and_rolled_back(
    invoke: Invoke,
    home: Path,
    experiment_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = home / "models" / "in_service"
    first = load_current(home / "models")["severe_icans"].version
    said = refused(invoke("promote", "severe_icans", "--reason", "first"), "PromotionRefused")
    assert f"severe_icans {first} may not answer" in said
    assert "could not be measured: too few refits" in said
    assert not (store / "promotions.jsonl").exists()
    overriding = ("--override", "--who", "A. Tester")
    result = invoke("promote", "severe_icans", "--reason", "first", *overriding)
    assert result.exit_code == 0, result.output
    assert f"severe_icans: {first} answers now (before: None)" in words(result)

    assert "limits_not_kept because of severe_icans" in words(result)
    again = invoke("promote", "severe_icans", "--reason", "once more", *overriding)
    assert f"severe_icans {first} answers already" in refused(again, "AnswersAlready")
    again = invoke("promote", "severe_icans", "--reason", "first", *overriding)
    assert again.exit_code == 0
    assert "severe_icans: this version answers already, as it was promoted before" in words(again)

    assert invoke("train", experiment_file(seed=11)).exit_code == 0
    result = invoke("promote", "severe_icans", "--reason", "second", *overriding)
    second = load_current(store)["severe_icans"].version
    assert second != first
    assert f"{second} answers now (before: {first})" in words(result)
    listed = invoke("models")
    assert listed.exit_code == 0
    assert "answers" in listed.output

    result = invoke("rollback", "severe_icans", "--reason", "alarm")
    assert f"{first} answers again (before: {second})" in words(result)
    assert load_current(store)["severe_icans"].version == first
    lines = Ledger(store).lines()
    assert [p.reason for p in lines] == ["first", "second", "alarm"]
    assert [p.signed_by for p in lines] == ["A. Tester", "A. Tester", None]
    monkeypatch.setenv("COLUMNS", "400")
    history = invoke("history", "severe_icans")
    for shown in (first, second, "first", "alarm", "A. Tester (", lines[0].overridden[0][:40]):
        assert shown in words(history)
    assert "no version of severe_crs has answered" in words(invoke("history", "severe_crs"))

    said = refused(
        invoke("promote", "severe_icans", "--reason", "x", "--version", "0000"), "NotRegistered"
    )
    assert "0000" in said


# ---- Another centre ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(invoke: Invoke, home: Path) -> Path:
    """A centre where every risk is far higher than published."""
    simulate(160, 2, 31, truth="shifted").table.to_parquet(home / "elsewhere.parquet")
    return home / "elsewhere.parquet"


@pytest.mark.usefixtures("trained")
def test_a_model_is_evaluated_at_another_centre(
    invoke: Invoke, home: Path, elsewhere: Path
) -> None:
    asked = ("--model", "severe_icans", "--cohort", elsewhere, "--models", home / "models")
    result = invoke("evaluate", *asked, "--out", home / "judged")
    assert result.exit_code == 0, result.output
    said = words(result)
    assert "on simulated patients, never clinical performance" in said
    assert "an update would be: Bayesian intercept" in said
    assert "without a known outcome are left out" in said
    evaluation = Evaluation.model_validate_json((home / "judged/evaluation.json").read_bytes())
    assert evaluate(load(home / "judged"), evaluation.asked) == evaluation
    assert f"{evaluation.patients} patients, {evaluation.events} events" in said
    report = Report.model_validate_json((home / "judged/report.json").read_bytes())
    assert f"severe_icans: {report.verdict.in_words}" in said
    assert "external limits on simulated patients, never clinical performance: " in said
    assert "is for a promotion, which judges its development, too." in said
    broken = [limit.in_words for limit in report.verdict.limits if not limit.met]
    assert broken
    for sentence in broken:
        assert f"- {sentence}" in said


@pytest.mark.usefixtures("trained")
def test_a_centre_recalibrates_a_model(invoke: Invoke, home: Path, elsewhere: Path) -> None:
    folder = load_current(home / "models")["severe_icans"].folder
    result = invoke("recalibrate", "--model", folder, "--cohort", elsewhere, "--models", "updated")
    assert result.exit_code == 0, result.output
    new = load_current(home / "updated")["severe_icans"]
    said = words(result)
    assert "updated: Bayesian intercept" in said
    assert "after correction for optimism" in said
    assert "registered as version 1" in said
    assert new.manifest.lineage[0].parent_version == folder.name
    again = invoke("recalibrate", "--model", new.folder, "--cohort", elsewhere)
    assert "fitted on this very cohort" in refused(again, "NotExternal")
    table = pd.read_parquet(elsewhere)
    table.head(100).to_parquet(home / "part.parquet")
    again = invoke("evaluate", "--model", new.folder, "--cohort", "part.parquet")
    assert "every one of these patients" in refused(again, "NotExternal")


@pytest.mark.parametrize(
    "asked", [("train",), ("recalibrate", "--model", "severe_icans", "--cohort", "none.csv")]
)
def test_nothing_is_trained_past_the_gates_into_the_store_in_service(
    invoke: Invoke, home: Path, experiment_file: Callable[..., Path], asked: tuple[str, ...]
) -> None:
    """It would answer at once: unjudged, in no ledger, and not to be withdrawn."""
    store = home / "models" / "in_service"
    before = sorted(store.rglob("*"))
    if asked == ("train",):
        asked = (*asked, str(experiment_file()))
    said = refused(invoke(*asked, "--models", store), "NotApart")
    assert "answers by `cart-risk promote` alone" in said
    assert sorted(store.rglob("*")) == before


@pytest.mark.usefixtures("trained")
def test_a_cohort_of_events_only_is_not_sent_on_to_training(invoke: Invoke, home: Path) -> None:
    """`train` refuses it, and sends here."""
    simulate(160, 1, 8).table.assign(icans_grade=4).to_parquet(home / "events.parquet")
    asked = ("--model", "severe_icans", "--cohort", "events.parquet", "--models", home / "models")
    result = invoke("evaluate", *asked)
    assert result.exit_code == 0, result.output
    assert "0 patients without the outcome, fewer than 10: evaluated only" in words(result)
    assert "cart-risk train" not in words(result)


@pytest.mark.usefixtures("trained")
def test_few_events_keep_the_model_and_say_why(invoke: Invoke, home: Path) -> None:
    few = simulate(60, 1, 8).table
    few["icans_grade"] = np.where(np.arange(60) < 4, 3.0, 1.0)
    few.dropna(axis="columns", how="all").to_parquet(home / "few.parquet")
    asked = ("--model", "severe_icans", "--cohort", "few.parquet", "--models", home / "models")
    before = load_current(home / "models")["severe_icans"].version
    result = invoke("recalibrate", *asked)
    assert result.exit_code == 0, result.output
    assert "kept, no update: none (4 events, fewer than 10" in words(result)
    assert load_current(home / "models")["severe_icans"].version == before
    said = words(invoke("evaluate", *asked))
    assert "not to be applied: Bayesian intercept" in said
    assert "fewer patients than guidance asks for" in said


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("command", ["evaluate", "recalibrate"])
def test_a_model_or_cohort_that_is_not_there(
    invoke: Invoke, home: Path, elsewhere: Path, command: str
) -> None:
    models = ("--models", home / "models")
    nobody = invoke(command, "--model", "nobody", "--cohort", elsewhere, *models)
    assert "nobody is neither" in refused(nobody, "NotRegistered")
    nowhere = invoke(command, "--model", "severe_icans", "--cohort", "nowhere.csv", *models)
    assert "[no_such_file]" in refused(nowhere, "CohortRefused")


@pytest.mark.usefixtures("trained")
def test_an_evaluation_cannot_be_written_into_a_file(
    invoke: Invoke, home: Path, elsewhere: Path
) -> None:
    (home / "taken").write_text("a file", "utf-8")
    asked = ("--model", "severe_icans", "--cohort", elsewhere, "--models", home / "models")
    said = refused(invoke("evaluate", *asked, "--out", home / "taken"), "NotWritable")
    assert "with --out" in said
    assert (home / "taken").read_text("utf-8") == "a file"


# ---- What went wrong -----------------------------------------------------------------------------


def test_a_refused_cohort_names_its_rules(
    invoke: Invoke, home: Path, cohort_file: Path, experiment_file: Callable[..., Path]
) -> None:
    table = pd.read_parquet(cohort_file)
    broken = table.assign(age_years=900.0, colour="red")
    broken.to_parquet(home / "broken.parquet")
    result = invoke("train", experiment_file(), "--cohort", "broken.parquet", "--models", "m1")
    said = refused(result, "CohortRefused")
    assert "[outside_limits; row 1, 2," in said
    assert "[unknown_column]" in said
    assert not (home / "m1").exists()


def test_a_column_in_a_likely_wrong_unit_is_trained_on_with_a_note(
    invoke: Invoke, home: Path, cohort_file: Path, experiment_file: Callable[..., Path]
) -> None:
    table = pd.read_parquet(cohort_file)
    table.assign(crp_mg_l=table["crp_mg_l"] / 10).to_parquet(home / "decigrams.parquet")
    result = invoke(
        "train", experiment_file(), "--cohort", "decigrams.parquet", "--models", "doubted"
    )
    assert result.exit_code == 0, result.output
    assert "note: crp_mg_l: read in mg/L, its median is nearer to 1/10 of the typical" in words(
        result
    )
    assert "name it crp_mg_dl" in words(result)


def test_twelve_patients_are_too_few_to_train(
    invoke: Invoke, home: Path, cohort_file: Path, experiment_file: Callable[..., Path]
) -> None:
    small = pd.read_parquet(cohort_file).iloc[:12].dropna(axis="columns", how="all")
    small.to_csv(home / "small.csv", index=False)
    result = invoke("train", experiment_file(), "--cohort", "small.csv", "--models", "m2")
    assert "[too_few_patients]" in refused(result, "CohortRefused")
    assert not (home / "m2").exists()


def test_a_refused_experiment_names_every_key(
    invoke: Invoke, home: Path, experiment_file: Callable[..., Path]
) -> None:
    path = experiment_file(predictors=("age", "il_7"), top="colour = 1")
    said = refused(invoke("train", path, "--models", "m3"), "ExperimentRefused")
    assert "il_7" in said
    assert "colour" in said
    assert not (home / "m3").exists()


@pytest.mark.parametrize("name", ["nowhere.toml", "/"])
def test_an_experiment_that_cannot_be_read(invoke: Invoke, name: str) -> None:
    refused(invoke("train", name, "--models", "m4"), "ExperimentRefused")


def test_a_directory_that_cannot_be_made(
    invoke: Invoke, home: Path, experiment_file: Callable[..., Path]
) -> None:
    (home / "occupied").write_text("a file", "utf-8")
    said = refused(invoke("train", experiment_file(), "--models", "occupied"), "NotWritable")
    assert "occupied cannot be written (File exists)" in said
    assert (home / "occupied").read_text("utf-8") == "a file"


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(
    invoke: Invoke, home: Path
) -> None:
    """Neither the experiment nor the model and the cohort are there: the place is told first."""
    (home / "in_the_way").write_text("a file", "utf-8")
    place = ("--models", "in_the_way/models")
    for command in (
        ("train", "nowhere.toml", *place),
        ("recalibrate", "--model", "nobody", "--cohort", "nowhere.csv", *place),
    ):
        said = refused(invoke(*command), "NotWritable")
        assert "in_the_way/models cannot be written (Not a directory)" in said
        assert "name a directory in which you may write with --models" in said


def test_what_was_made_to_try_a_place_is_gone_after_it(home: Path) -> None:
    expect_writable(home / "new" / "and" / "deep", "--models")
    assert not (home / "new").exists()
    (home / "there").mkdir()
    expect_writable(home / "there", "--models")
    assert list((home / "there").iterdir()) == []


def test_a_directory_that_may_not_be_written(
    invoke: Invoke,
    home: Path,
    experiment_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = os.mkdir

    def locked(path: Path, *arguments: object, **options: object) -> None:
        if "locked" in Path(path).parts:
            raise PermissionError(13, "Permission denied", str(path))
        made(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "mkdir", locked)
    result = invoke("train", experiment_file(), "--models", home / "locked")
    said = refused(result, "NotWritable")
    assert "locked cannot be written (Permission denied)" in said
    assert "--models" in said
    assert not (home / "locked").exists()


def test_scoring_without_a_model(invoke: Invoke, home: Path, cohort_file: Path) -> None:
    result = invoke("score", "--cohort", cohort_file, "--out", "x.csv", "--models", "empty")
    refused(result, "NothingToScoreWith")
    assert not (home / "x.csv").exists()


@pytest.mark.usefixtures("trained")
def test_scores_in_another_kind_of_file(invoke: Invoke, home: Path, cohort_file: Path) -> None:
    result = invoke("score", "--cohort", cohort_file, "--out", "x.xlsx", "--models", "models")
    assert ".parquet or a .csv" in refused(result, "Refused")
    assert not (home / "x.xlsx").exists()


@pytest.mark.usefixtures("trained")
def test_a_model_that_was_tampered_with(invoke: Invoke, home: Path, cohort_file: Path) -> None:
    path = next((home / "models").glob("severe_icans/*/model.json"))
    before = path.read_bytes()
    path.write_bytes(before + b" ")
    result = invoke("score", "--cohort", cohort_file, "--out", "x.csv", "--models", "models")
    path.write_bytes(before)
    assert "model.json" in refused(result, "ArtefactRefused")
    assert not (home / "x.csv").exists()


def test_a_simulated_cohort_of_another_kind_of_file(invoke: Invoke, home: Path) -> None:
    refused(invoke("simulate", "--n", 5, "--out", home / "cohort.xlsx"), "Refused")
    assert not (home / "cohort.xlsx").exists()


def test_a_negative_seed_is_refused_by_its_option(invoke: Invoke, home: Path) -> None:
    result = invoke("simulate", "--n", 5, "--seed", -1, "--out", home / "cohort.csv")
    assert result.exit_code == 2
    assert "--seed" in words(result)
    assert not (home / "cohort.csv").exists()


def test_a_registry_that_is_no_database(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CART_RISK_MODELS", str(tmp_path / "in_service"))
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    for command in (("models",), ("promote", "severe_icans", "--reason", "x")):
        assert "mlflow.db" in refused(invoke(*command), "RegistryUnavailable")


@pytest.mark.parametrize(
    "arguments", [("simulate", "--n", 0, "--out", "x.csv"), ("promote", "severe_crs"), ("fly",)]
)
def test_a_wrong_call_is_explained(invoke: Invoke, arguments: tuple[object, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Usage" in result.output


def test_without_a_command_the_commands_are_listed(invoke: Invoke) -> None:
    said = words(invoke())
    for command in (
        "columns",
        "simulate",
        "train",
        "evaluate",
        "recalibrate",
        "score",
        "promote",
        "rollback",
        "withdraw",
        "history",
        "models",
        "evidence",
        "prepare",
    ):
        assert command in said


# ---- Evidence ------------------------------------------------------------------------------------


def shown(result: Result, start: str) -> list[str]:
    """Return the first row of a table that starts with a word, cell by cell."""
    assert result.exit_code == 0, result.output
    rows = ([cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines())
    return next(row for row in rows if row and row[0] == start)


def test_evidence_shows_terms_rates_and_the_rows_they_rest_on(
    invoke: Invoke, experiment_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    path = experiment_file(predictors=("ferritin", "albumin", "crs_prophylaxis"))
    result = invoke("evidence", path)
    believed = evidence_prior(load_evidence(), read_experiment(path))
    _, mean, sd, published, sources = shown(result, "ferritin")
    effect = believed.effects[0]
    assert (mean, sd) == (f"{effect.mean:.2f}", f"{effect.sd:.2f}")
    assert published == f"{effect.as_published:.2f}"
    assert sources == ", ".join(effect.sources)
    assert shown(result, "albumin")[-1] == "no usable published figure"
    assert shown(result, "crs_prophylaxis:tocilizumab")[-1].endswith("(unread)")
    cell = next(c for c in believed.cells if c.product == "axicabtagene_ciloleucel")
    _, disease, rate, _, cohorts = shown(result, cell.product)
    assert (disease, rate) == (cell.disease, f"{100 * cell.base_rate:.1f} %")
    assert cell.sources[0] in cohorts


def test_a_narrow_screen_cuts_no_identifier(
    invoke: Invoke, experiment_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = experiment_file(predictors=("ferritin",))
    last = [
        line.split("│")[-2] for line in invoke("evidence", path).output.splitlines() if "│" in line
    ]
    (source,) = evidence_prior(load_evidence(), read_experiment(path)).effects[0].sources
    assert source in "".join(cell.strip() for cell in last)


def test_evidence_is_shown_of_no_outcome_that_has_none(invoke: Invoke) -> None:
    path = EXPERIMENTS / "tongji_in_hospital_death.toml"
    assert "own cohort" in refused(invoke("evidence", path), "ExperimentRefused")


# ---- Columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", ["80", "200"])
def test_the_columns_of_a_cohort_are_listed_whole(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    result = invoke("columns")
    assert result.exit_code == 0, result.output
    cells = [line.split("│")[1:-1] for line in result.output.splitlines() if "│" in line]
    assert max(map(len, result.output.splitlines())) <= int(width)
    told = {row[0].strip(): " ".join(row[1].split()) for row in cells if row[0].strip()}
    assert list(told) == [c.name for c in cohort_columns()]
    if width == "200":
        assert told["crp_mg_l"] == "C-reactive protein; 0 to 1000 mg/L, usually 0 to 350"
        assert told["crp_mg_dl"] == "0 to 100 mg/dL, usually 0 to 35"
        assert told["mrd_status"] == "MRD before LD; neg, pos, unknown"


def test_the_columns_of_a_cohort_are_written_for_a_program(invoke: Invoke, home: Path) -> None:
    assert invoke("columns", "--out", "columns.csv").exit_code == 0
    listed = pd.read_csv(home / "columns.csv", dtype=str, keep_default_na=False).set_index("column")
    assert list(listed.index) == [c.name for c in cohort_columns()]
    crp = listed.loc["crp_mg_dl"]
    assert (crp["unit"], crp["lowest"], crp["highest"], crp["needed"]) == ("mg/dL", "0", "100", "")
    assert listed.loc["product", "needed"] == "always"
    assert "axicabtagene_ciloleucel" in listed.loc["product", "words"].split(" | ")
    assert ".csv file" in refused(invoke("columns", "--out", "columns.xlsx"), "Refused")
    assert not (home / "columns.xlsx").exists()
