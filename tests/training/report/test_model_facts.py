"""What is said of the model is what the model does."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from data_schemas.cohort_table import predictor_columns
from data_schemas.typical_values import burden_measures
from serving.model.artefact import PRIOR_FILE
from serving.model.risk_model import RiskModel
from tests.conftest import Store
from tests.training.report.conftest import Told
from training.report.effects import effects as drawn_from
from training.report.model_facts import model_facts, term_label
from training.report.model_record import Effects


def effects(told: Told) -> Effects:
    return told.report.model.effects


def test_shares_of_weight_are_shares_of_one(developed: Told, rehearsed: Told) -> None:
    for told in (developed, rehearsed):
        weights = told.report.model.importance.weights
        assert sum(w.share for w in weights) == pytest.approx(1.0)
        assert [w.share for w in weights] == sorted((w.share for w in weights), reverse=True)


def test_mean_contributions_are_those_of_the_judged_patients(developed: Told) -> None:
    assert developed.cohort is not None
    model = developed.artefact.model
    each = model.predict(developed.cohort.columns).contributions
    ferritin = [j for j, term in enumerate(model.terms) if term.predictor == "ferritin"]
    weights = {w.predictor: w.mean_contribution for w in developed.report.model.importance.weights}
    assert weights["ferritin"] == pytest.approx(np.abs(each[:, ferritin].sum(axis=1)).mean())


def test_nobody_contributes_to_a_model_of_no_patient(rehearsed: Told) -> None:
    weights = rehearsed.report.model.importance.weights
    assert {w.mean_contribution for w in weights} == {None}


def test_a_curve_is_the_answer_of_the_model(developed: Told) -> None:
    """Oracle: the typical patient written down by hand, with one laboratory value moved."""
    found, model = effects(developed), developed.artefact.model
    curve = next(c for c in found.curves if c.predictor == "crp")
    values = np.array(curve.values)
    n = len(values)
    cell = next(c for c in model.cells if c.product.replace("_", " ") == found.product)
    typical = {c.predictor: np.full(n, c.typical) for c in found.curves if c.typical is not None}
    del typical["tumour_burden"]
    volume = next(row.median for row in burden_measures() if row.measure == "mtv")
    typical |= {"mtv": np.full(n, volume), "neuro_comorbidity": np.zeros(n)}
    words = {"product": cell.product, "disease": "LBCL", "sex": "female"}
    columns = predictor_columns(
        typical
        | {name: np.array([word] * n, dtype=object) for name, word in words.items()}
        | {"crp": values},
        n,
    )
    assert found.disease == "LBCL"
    answered = model.predict(columns)
    assert answered.missing_weight == pytest.approx(0.0)
    for said, z in (
        (curve.risk.value, answered.logit),
        (curve.risk.low, answered.low),
        (curve.risk.high, answered.high),
    ):
        assert list(said) == pytest.approx(expit(z).tolist())


def test_contributions_are_differences_in_log_odds_to_the_typical_patient(each: Told) -> None:
    found = effects(each)
    for curve in found.curves:
        moved = logit(np.array(curve.risk.value)) - logit(found.typical_risk)
        assert list(curve.log_odds.value) == pytest.approx(moved.tolist(), abs=1e-9)
        assert all(a <= b <= c for a, b, c in zip(*band(curve.log_odds), strict=True))
        assert all(a <= b <= c for a, b, c in zip(*band(curve.risk), strict=True))


def band(found: object) -> tuple[tuple[float, ...], ...]:
    return tuple(getattr(found, name) for name in ("low", "value", "high"))


def test_an_effect_is_certain_where_everything_is_typical(developed: Told) -> None:
    sex = next(c for c in effects(developed).curves if c.predictor == "sex")
    assert sex.words[0] == "female"
    assert sex.log_odds.low[0] == sex.log_odds.value[0] == sex.log_odds.high[0] == 0.0
    assert sex.log_odds.low[1] < sex.log_odds.high[1]


def test_curves_stay_within_what_is_usual_and_ascend(each: Told) -> None:
    for curve in effects(each).curves:
        assert bool(curve.values) is not bool(curve.words)
        assert list(curve.values) == sorted(set(curve.values))
        assert curve.scale != "log" or min(curve.values) > 0


def test_a_predictor_without_meaning_in_the_disease_has_no_curve(developed: Told) -> None:
    model = developed.artefact.model
    only_myeloma = tuple(
        replace(term, diseases=("MM",)) if term.predictor == "ferritin" else term
        for term in model.terms
    )
    found = drawn_from(replace(model, terms=only_myeloma), developed.cohort)
    assert set(found.left_out) == {"ferritin"}
    assert "ferritin" not in {curve.predictor for curve in found.curves}
    assert effects(developed).left_out == {}


def test_the_typical_patient_of_every_cell_stands_at_its_base(evidence_store: Store) -> None:
    """Children as well: of the age and the creatinine that are typical of them."""
    model = evidence_store.models["severe_icans"]
    for i, cell in enumerate(model.cells):
        found = drawn_from(_commonest_in(model, i), None)
        assert found.typical_risk == pytest.approx(float(expit(model.base[i]))), cell


def test_children_are_shown_as_children(evidence_store: Store) -> None:
    model = evidence_store.models["severe_icans"]
    cells = [(cell.product, cell.disease) for cell in model.cells]
    found = drawn_from(_commonest_in(model, cells.index(("tisagenlecleucel", "B_ALL"))), None)
    curves = {curve.predictor: curve for curve in found.curves}
    assert curves["age"].typical == 11
    assert 3 <= min(curves["age"].values) < max(curves["age"].values) < 26
    usual = 0.26 + (11 - 1) / (14 - 1) * (0.61 - 0.26)  # between Pottel's values at 1 and 14 years
    assert curves["creatinine"].typical == pytest.approx(usual)
    risks = np.array(curves["age"].risk.value)
    assert risks == pytest.approx(np.full(len(risks), found.typical_risk))  # no effect is published


def test_a_product_of_which_nothing_is_known_has_its_age_curve(evidence_store: Store) -> None:
    """No rule of age is known of it, so none cuts the curve."""
    model = evidence_store.models["severe_icans"]
    cells = tuple(replace(cell, product="other") for cell in model.cells)
    found = drawn_from(replace(model, cells=cells), None)
    assert len(next(c for c in found.curves if c.predictor == "age").values) > 20


def _commonest_in(model: RiskModel, place: int) -> RiskModel:
    """The same model, most of whose published patients are in one cell."""
    cells = list(model.cells)
    cells[place] = replace(cells[place], patients=10**6)
    return replace(model, cells=tuple(cells))


def test_burden_moves_by_its_percentile(developed: Told) -> None:
    curve = next(c for c in effects(developed).curves if c.predictor == "tumour_burden")
    assert (curve.values[0], curve.typical, curve.values[-1]) == pytest.approx((2, 50, 98))
    assert curve.unit == "percentile of its disease"
    assert np.all(np.diff(curve.log_odds.value) >= 0)


def test_counts_move_by_whole_numbers_and_flags_from_no_to_yes(developed: Told) -> None:
    curves = {curve.predictor: curve for curve in effects(developed).curves}
    assert all(value == round(value) for value in curves["prior_lines"].values)
    assert curves["neuro_comorbidity"].words == ("no", "yes")


def test_coefficients_stand_beside_what_was_believed(developed: Told) -> None:
    model = developed.artefact.model
    believed = json.loads(developed.artefact.files[PRIOR_FILE])["effects"]
    found = developed.report.model.coefficients
    assert [c.term for c in found] == [term.name for term in model.terms]
    assert [c.posterior_mean for c in found] == model.coefficients.tolist()
    spread = np.sqrt(np.diag(model.posterior.covariance))[-len(found) :]
    assert [c.posterior_sd for c in found] == spread.tolist()
    for c, row in zip(found, believed, strict=True):
        assert (c.prior_mean, c.prior_sd) == (row["mean"], row["sd"])
        assert c.shift == pytest.approx((c.posterior_mean - c.prior_mean) / c.prior_sd)


def test_evidence_alone_has_not_moved(rehearsed: Told) -> None:
    """The average over the grid of evidence slopes has the mean of what is published."""
    assert [c.shift for c in rehearsed.report.model.coefficients] == pytest.approx(
        [0.0] * len(rehearsed.report.model.coefficients), abs=1e-9
    )


def test_a_direction_that_was_let_go_is_said(developed: Told) -> None:
    table = json.loads(developed.artefact.files[PRIOR_FILE])
    found = model_facts(developed.artefact.model, table, "anchored", ("ferritin",), None)
    assert [c.term for c in found.coefficients if c.released] == ["ferritin"]


def test_a_learner_that_knows_no_literature_says_so(developed: Told) -> None:
    table = json.loads(developed.artefact.files[PRIOR_FILE])
    model = developed.artefact.model
    assert model_facts(model, table, "anchored", (), None).evidence_used
    assert not model_facts(model, table, "ridge", (), None).evidence_used


def test_a_model_of_an_outcome_on_which_nothing_is_published_did_not_start_from_evidence(
    developed: Told,
) -> None:
    table = json.loads(developed.artefact.files[PRIOR_FILE])
    bare = {**table, "effects": [{**effect, "sources": []} for effect in table["effects"]]}
    assert not model_facts(developed.artefact.model, bare, "anchored", (), None).evidence_used


@pytest.mark.parametrize(
    ("term", "label"),
    [
        ("ferritin", "Ferritin"),
        ("crp:B_ALL", "C-reactive protein (B-ALL)"),
        ("crs_prophylaxis:tocilizumab", "Planned prophylaxis (tocilizumab)"),
        ("tumour_burden", "Tumour burden"),
    ],
)
def test_terms_in_words(term: str, label: str) -> None:
    assert term_label(term) == label
