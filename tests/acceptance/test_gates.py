"""A planted defect never reaches the ward by the ordinary way, and the extraordinary way is signed.

Each is planted in the table or the experiment of a centre; the command line is all that is used.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from serving.model.artefact import Artefact
from serving.model.store import load_current

Command = Callable[..., str]

OUTCOME = "severe_icans"
SEVERE = 3


@pytest.fixture(scope="module")
def experiment(workplace: Path) -> Path:
    path = workplace / "planted.toml"
    path.write_text(
        'predictors = ["crp", "ferritin", "ldh", "platelets", "age"]\nseed = 3\n'
        f'[outcome]\nname = "{OUTCOME}"\n[learner]\nname = "anchored_ridge"\n'
        "[validation]\nfolds = 3\nrepeats = 1\nbootstrap_refits = 25\n",
        "utf-8",
    )
    return path


@pytest.fixture(scope="module")
def table(cart_risk: Command, workplace: Path) -> pd.DataFrame:
    out = workplace / "centre.parquet"
    cart_risk("simulate", "--out", out, "--n", 500, "--sites", 1, "--seed", 5)
    return pd.read_parquet(out)


@pytest.fixture(scope="module")
def in_service(workplace: Path) -> Path:
    return workplace / "models" / "in_service"


@pytest.fixture(scope="module")
def evidence_only(cart_risk: Command, experiments: Path, in_service: Path) -> dict[str, Artefact]:
    """What `make serve` puts into service on a machine that has no model yet."""
    cart_risk("prepare", "--experiments", experiments)
    return load_current(in_service)


def words(said: str) -> str:
    return " ".join(said.split())


def test_the_default_models_are_promoted_by_the_rules_as_evidence_only(
    evidence_only: dict[str, Artefact],
) -> None:
    assert set(evidence_only) == {OUTCOME, "severe_crs"}
    for artefact in evidence_only.values():
        card = words(artefact.files["model_card.md"].decode())
        assert "Published evidence only: fitted on no patient. May answer: all 3 limits" in card


def test_a_leaked_outcome_is_refused_in_words_and_only_a_signature_overrides(
    cart_risk: Command,
    workplace: Path,
    experiment: Path,
    table: pd.DataFrame,
    in_service: Path,
    evidence_only: dict[str, Artefact],
) -> None:
    before = evidence_only[OUTCOME].version
    severe = table["icans_grade"] >= SEVERE
    leaked = table["ferritin_ng_ml"].where(~severe, 20_000 + table["ferritin_ng_ml"])
    cohort = workplace / "leaked.parquet"
    table.assign(ferritin_ng_ml=leaked).to_parquet(cohort)
    cart_risk("train", experiment, "--cohort", cohort)

    promote = ("promote", OUTCOME, "--reason", "it separates so well")
    said = words(cart_risk(*promote, status=1))
    assert "PromotionRefused" in said
    assert "AUROC of ferritin alone, by its value," in said
    assert "the outcome is suspected to have leaked into a predictor" in said
    assert "--who NAME" in words(cart_risk(*promote, "--override", status=1))
    assert load_current(in_service)[OUTCOME].version == before

    said = words(cart_risk(*promote, "--override", "--who", "Dr A. Nobody"))
    assert "overridden: AUROC of ferritin alone" in said
    assert f"answers now (before: {before})" in said
    history = words(cart_risk("history", OUTCOME))
    assert "it separates so well" in history
    assert "Nobody" in history
    assert load_current(in_service)[OUTCOME].version != before


def test_what_is_published_is_refused_where_it_does_not_hold(
    cart_risk: Command, workplace: Path, experiment: Path
) -> None:
    """A centre at the published level whose predictors have nothing to do with the outcome."""
    centre = workplace / "level.parquet"
    cart_risk("simulate", "--out", centre, "--n", 500, "--sites", 1, "--seed", 7)
    table = pd.read_parquet(centre)
    grades = table["icans_grade"].sample(frac=1.0, random_state=2).to_numpy()
    cohort = workplace / "noise.parquet"
    table.assign(icans_grade=grades).to_parquet(cohort)
    unlearnt = workplace / "unlearnt.toml"
    text = experiment.read_text("utf-8").replace("anchored_ridge", "evidence")
    unlearnt.write_text(text, "utf-8")
    cart_risk("train", unlearnt, "--cohort", cohort)
    said = words(cart_risk("promote", OUTCOME, "--reason", "as published", status=1))
    assert "the product's published rate does better alone" in said
    slope = re.search(r"Calibration slope (-?\d\.\d+) \(.*?\) lies \d\.\d+ below 0\.\d0", said)
    assert slope is not None
    assert "risks are too extreme" in said
