"""The card says on whom the model rests, what was believed, what was assumed, what is unknown."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data_schemas.evidence import Evidence
from data_schemas.model_manifest import Measure, ModelManifest
from data_schemas.typical_values import EVERYWHERE, burden_measures, typical_values
from serving.assess import model_statement
from serving.model.artefact import PRIOR_FILE
from tests.conftest import Store
from training.experiment import read_experiment
from training.judging.ruling import ruling_of
from training.learning.prior import ModelPrior, evidence_prior
from training.model_card import limitations, model_card, prior_table
from training.pipeline import Run
from training.synthesis.figures import ASSUMED, STEPS
from training.synthesis.published_effects import effect_prior
from training.synthesis.transport import transport


@pytest.fixture(scope="module")
def believed(evidence: Evidence, evidence_run: Run) -> ModelPrior:
    return evidence_prior(evidence, evidence_run.experiment)


def saved_card(run: Run) -> str:
    return Path(run.artefact.folder, "model_card.md").read_text("utf-8")


def written_card(run: Run, believed: ModelPrior, evidence: Evidence, **update: object) -> str:
    manifest: ModelManifest = run.artefact.manifest.model_copy(update=update)
    known = limitations(manifest, run.artefact.model)
    manifest = manifest.model_copy(update={"limitations": known})
    table = prior_table(believed, evidence)
    ruling = ruling_of(run.artefact)
    assert ruling is not None
    return model_card(manifest, table, model_statement(manifest), ruling.verdict)


def test_the_saved_card_is_the_card_of_its_manifest(
    evidence_run: Run, believed: ModelPrior, evidence: Evidence
) -> None:
    assert saved_card(evidence_run) == written_card(evidence_run, believed, evidence)


def test_the_card_opens_with_what_the_model_rests_on(evidence_run: Run) -> None:
    title, _, statement, *_ = saved_card(evidence_run).splitlines()
    assert title.startswith("# ")
    assert "fitted on no patient" in statement
    assert "Not for clinical use" in statement


def test_a_model_validated_on_nobody_says_so(evidence_run: Run, cohort_run: Run) -> None:
    for run in (evidence_run, cohort_run):
        assert "validated on no patient" in saved_card(run)


def test_a_validated_model_does_not_deny_it(
    evidence_run: Run, believed: ModelPrior, evidence: Evidence
) -> None:
    card = written_card(evidence_run, believed, evidence, validated_on_real_patients=250)
    assert "validated on no patient" not in card
    assert "validated on real patients: 250" in card


def test_the_card_names_released_directions(
    evidence_run: Run, believed: ModelPrior, evidence: Evidence
) -> None:
    assert "directions let go: none" in saved_card(evidence_run)
    card = written_card(evidence_run, believed, evidence, directions_released=("ferritin",))
    assert "directions let go: ferritin" in card


def test_an_unmeasured_model_is_called_unmeasured(
    evidence_run: Run, believed: ModelPrior, evidence: Evidence
) -> None:
    assert "Not measured." in written_card(evidence_run, believed, evidence, performance=())
    assert "Not measured." not in saved_card(evidence_run)


def test_every_measure_says_on_whom(cohort_run: Run) -> None:
    card = saved_card(cohort_run)
    for measure in cohort_run.artefact.manifest.performance:
        interval = "none" if measure.low is None else f"{measure.low:.3f} to {measure.high:.3f}"
        number = f"| {measure.name} | {measure.value:.3f} | {interval} |"
        assert f"{number} {measure.on} | {measure.patients} |" in card
    assert "never clinical performance" in card


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (1.133, 1.053, 1.218, "The model under-predicts (simulated centres): 1.133 times"),
        (0.81, 0.72, 0.91, "The model over-predicts (simulated centres): 0.810 times"),
        (1.1, 0.98, 1.23, None),
        (0.9, 0.79, 1.02, None),
        (1.4, None, None, None),
    ],
)
def test_risks_that_are_too_low_or_too_high_are_told_whatever_the_verdict(
    evidence_run: Run,
    believed: ModelPrior,
    evidence: Evidence,
    value: float,
    low: float | None,
    high: float | None,
    said: str | None,
) -> None:
    measure = Measure(
        name="observed_over_expected",
        value=value,
        low=low,
        high=high,
        on="simulated centres",
        patients=8000,
    )
    card = written_card(evidence_run, believed, evidence, performance=(measure,))
    section = card.split("## How well it does")[1].split("## ")[0]
    assert ("-predicts" in section) == (said is not None)
    if said is not None:
        as_many = "as many patients had the outcome as it expected, 95 % interval"
        assert f"{said} {as_many} {low:.3f} to {high:.3f}.\n" in section


@pytest.mark.parametrize("outcome", ["severe_crs", "severe_icans"])
def test_effects_that_rest_on_a_figure_of_another_outcome_are_named_with_it(
    evidence: Evidence, experiment_file: Callable[..., Path], outcome: str
) -> None:
    asked = read_experiment(experiment_file(outcome=outcome))
    told = prior_table(evidence_prior(evidence, asked), evidence)["of_other_outcomes"]
    icans = "ICANS of grade 2 or more (ferritin-1500-icans-grade2plus-hmp)"
    assert f"ferritin: {icans}" in told
    either = "severe CRS or severe ICANS, whichever came (easix-doubling-severe-korell)"
    assert f"ldh, platelets: {either}" in told
    named = " ".join(told)
    for term, rows in STEPS[outcome].items():
        for _, row_id, _ in rows:
            row = evidence.row(row_id)
            another = getattr(row, "outcome", outcome) != outcome
            if term[0] in asked.predictors:
                assert (row_id in named) == another


def test_the_card_shows_which_effects_rest_on_another_outcome(evidence_run: Run) -> None:
    section = saved_card(evidence_run).split("## What was believed")[1].split("## ")[0]
    assert "Resting on a figure of another outcome than that of this model:" in section
    assert "- age: ICANS of any grade (age-icans-any-per-year-cibmtr)" in section


def test_every_base_rate_and_effect_is_shown_with_its_sources_and_marks(
    evidence_run: Run, believed: ModelPrior, evidence: Evidence
) -> None:
    card = saved_card(evidence_run)
    for cell in believed.cells:
        line = next(
            x for x in card.splitlines() if x.startswith(f"| {cell.product} | {cell.disease} |")
        )
        assert f"{100 * cell.base_rate:.1f} %" in line
        for row_id in cell.sources:
            assert f"{row_id} ({evidence.row(row_id).verified})" in line
        assert ("borrowed" in line) == (cell.origin == "borrowed")
    for term, effect in zip(believed.terms, believed.effects, strict=True):
        line = next(x for x in card.splitlines() if x.startswith(f"| {term.name} |"))
        for row_id in effect.sources:
            assert f"{row_id} ({evidence.row(row_id).verified})" in line
        assert effect.sources or effect.how in line


def test_rows_that_nobody_read_are_listed(evidence_run: Run, evidence: Evidence) -> None:
    stated = evidence_run.artefact.manifest.evidence
    assert stated.unread_rows
    for row_id in stated.unread_rows:
        assert evidence.row(row_id).verified != "read"
        assert row_id in saved_card(evidence_run)


def test_what_published_effects_keep_elsewhere_is_told_with_its_rows(
    evidence_run: Run, evidence: Evidence
) -> None:
    """Every effect is multiplied by it, so that it needs a source as any of them does."""
    section = saved_card(evidence_run).split("## What was believed")[1].split("## ")[0]
    line = next(x for x in section.splitlines() if x.startswith("For transport"))
    assert f"keeps {100 * transport(evidence):.0f} %" in line
    for row_id in ("model-car-hematotox-rejeski", "model-easix-deboer"):
        assert f"{row_id} ({evidence.row(row_id).verified})" in line
    prior = json.loads(evidence_run.artefact.files[PRIOR_FILE])
    rests_on = (prior["transport"], *prior["effects"], *prior["base_rates"])
    rows = {source["id"] for one in rests_on for source in one["sources"]}
    assert len(prior["transport"]["sources"]) == 5
    assert evidence_run.artefact.manifest.evidence.rows == len(rows)


def test_who_found_no_effect_is_named_beside_those_who_did(
    evidence_run: Run, evidence: Evidence
) -> None:
    """Of age on CRS an unread figure tells alone; against it stands a registry that was read."""
    line = next(x for x in saved_card(evidence_run).splitlines() if x.startswith("| age |"))
    assert line.endswith(
        "; no effect and no size of one was told by age-70-icans-severe-ram (read) |"
    )
    of_crs = effect_prior(evidence, "severe_crs", ("age", EVERYWHERE, ""))
    assert of_crs.sources == ("age-65-crs-any-jacobson",)
    assert of_crs.found_none == ("age-crs-any-cibmtr", "age-70-crs-severe-ram")


def test_the_figure_that_ties_the_two_outcomes_is_counted(evidence_store: Store) -> None:
    artefact = evidence_store.artefacts["severe_icans"]
    prior, association = artefact.prior, artefact.model.association
    assert association is not None
    rests_on = (prior["transport"], *prior["effects"], *prior["base_rates"])
    rows = {source["id"] for one in rests_on for source in one["sources"]}
    assert not rows & {*association.sources}
    assert artefact.manifest.evidence.rows == len(rows) + len(association.sources)


def test_typical_values_of_figures_that_nobody_read_are_named(
    evidence_run: Run, evidence: Evidence
) -> None:
    """ZUMA-1's sum of diameters, the age of children with leukaemia: known, not re-read."""
    assumed = saved_card(evidence_run).split("## What was assumed")[1].split("## ")[0]
    _, told = assumed.split(
        "Typical values that rest on figures which nobody read in their source:"
    )
    lines = [line.removeprefix("- ") for line in told.strip().splitlines()]
    assert "spd: zuma1-tumour-burden-spd" in lines
    assert "age in B_ALL given tisagenlecleucel: eliana-age" in lines
    named = {row_id for line in lines for row_id in line.split(": ")[1].split(", ")}
    behind = {row_id for row in (*typical_values(), *burden_measures()) for row_id in row.basis}
    assert named == {i for i in behind if evidence.row(i).verified != "read"}


def test_what_was_assumed_is_listed(evidence_run: Run) -> None:
    assumed = saved_card(evidence_run).split("## What was assumed")[1].split("## ")[0]
    assert "crp in *" in assumed
    used = json.loads(evidence_run.artefact.files[PRIOR_FILE])["effects"]
    cited = {source["id"] for effect in used for source in effect["sources"]}
    assert all((f"- {row_id}: " in assumed) == (row_id in cited) for row_id in ASSUMED)
    assert assumed.count("\n- ") >= 3


def test_the_prior_as_data_holds_what_the_card_shows(
    believed: ModelPrior, evidence: Evidence
) -> None:
    table = prior_table(believed, evidence)
    assert [row["term"] for row in table["effects"]] == [term.name for term in believed.terms]
    assert table["between_centres_sd"] == believed.between_centres
    unread = replace(believed.effects[0], unread=True)
    marked = prior_table(replace(believed, effects=(unread, *believed.effects[1:])), evidence)
    assert marked["effects"][0]["holds_unread"]
    for row in table["effects"] + table["base_rates"]:
        assert all(source["citation"] for source in row["sources"])
