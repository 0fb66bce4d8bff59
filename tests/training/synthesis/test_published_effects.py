"""The prior of every effect follows from rows that exist, and says so."""

from dataclasses import replace
from math import exp, log, sqrt

import pytest
from scipy.stats import norm

from data_schemas.evidence import Association, Evidence
from data_schemas.predictors import PREDICTORS, Category, Flag
from data_schemas.typical_values import EVERYWHERE
from serving.model.terms import FUNCTIONS
from serving.model.tumour_burden import BURDEN
from tests.training.synthesis.conftest import EVERY_EFFECT, EVERY_STEP, changed
from training.learning.association import published_association
from training.synthesis import effect_conversions as convert
from training.synthesis.figure_reading import transformed_centre, typical
from training.synthesis.figures import COMPARED_WITH, NOT_USED, SPOKEN_OF, STEPS, Step, TermKey
from training.synthesis.published_effects import (
    CONTESTED_SPREAD,
    DISEASE_SPECIFIC,
    SPOKEN_OF_SPREAD,
    UNKNOWN_SPREAD,
    EffectPrior,
    declared_direction,
    effect_prior,
    spread_of_linear_predictor,
)
from training.synthesis.transport import transport

# ---- Rows ------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "key", "step"), EVERY_STEP)
def test_every_step_cites_a_row_that_holds_its_figure(
    evidence: Evidence, outcome: str, key: TermKey, step: Step
) -> None:
    kind, row_id, _ = step
    row = evidence.row(row_id)
    if kind == "cohorts":
        assert row.role == "prophylaxis"
        for cohort in (row, evidence.row(COMPARED_WITH)):
            figures = (cohort.crs_severe_pct, cohort.icans_severe_pct, cohort.n_treated)
            assert None not in figures
        return
    assert isinstance(row, Association)
    assert row.usable
    assert row.timing != "post_infusion"
    if kind == "pair":
        assert None not in (row.percent_exposed, row.percent_unexposed, row.n)
        assert None not in (row.n_exposed, row.n_unexposed) or row.events is not None
    else:
        assert row.measure in (("AUC",) if kind == "auc" else ("OR", "HR"))
        assert row.effect is not None


@pytest.mark.parametrize(("outcome", "key", "step"), EVERY_STEP)
def test_every_step_reads_its_row_as_the_contrast_that_it_is(
    evidence: Evidence, outcome: str, key: TermKey, step: Step
) -> None:
    kind, row_id, number = step
    row = evidence.row(row_id)
    if kind == "threshold":
        value = typical(key[0], key[1])
        assert row.contrast_kind == "threshold"
        if value.transform == "identity":  # whole years, points, lines: the cut lies between two
            assert row.threshold - 1 < number <= row.threshold
        elif value.transform == "ldh_ratio":
            assert (row.threshold_unit, number) == ("ULN", log(row.threshold))
        else:
            assert number == pytest.approx(float(FUNCTIONS[value.transform](row.threshold)))
    elif kind == "unit":
        assert row.contrast_kind == "per_unit"
        assert 0 < number < 1
    elif kind == "z":
        assert 0 < number < 1
    elif kind == "doubling":
        assert number in (-1.0, 1.0)
        assert row.contrast_kind == "per_doubling"
        assert (number < 0) == (key[0] == "platelets")  # the denominator of EASIX


@pytest.mark.parametrize(("outcome", "key"), EVERY_EFFECT)
def test_every_effect_names_its_sources(evidence: Evidence, outcome: str, key: TermKey) -> None:
    prior = effect_prior(evidence, outcome, key)
    compared = (COMPARED_WITH,) if key[0] == "crs_prophylaxis" else ()
    assert prior.sources == (*(row_id for _, row_id, _ in STEPS[outcome][key]), *compared)
    assert prior.as_published is not None
    assert abs(prior.mean) <= abs(prior.as_published)
    assert 0 < prior.sd < 1


@pytest.mark.parametrize(("outcome", "key"), EVERY_EFFECT)
def test_declared_directions_are_kept(evidence: Evidence, outcome: str, key: TermKey) -> None:
    assert effect_prior(evidence, outcome, key).mean * declared_direction(key, outcome) >= 0


def test_a_figure_against_the_declared_direction_becomes_no_effect(evidence: Evidence) -> None:
    key = ("ferritin", EVERYWHERE, "")
    assert declared_direction(key, "severe_icans") == 1
    turned = changed(
        evidence, "ferritin-1500-icans-grade2plus-hmp", effect=0.3, ci_low=0.15, ci_high=0.6
    )
    prior = effect_prior(turned, "severe_icans", key)
    assert prior.mean == 0
    assert prior.as_published < 0


@pytest.mark.parametrize("row_id", ["ferritin-1500-icans-grade2plus-hmp"])
@pytest.mark.parametrize("verified", ["read", "unread"])
def test_an_unread_row_marks_its_effect(evidence: Evidence, row_id: str, verified: str) -> None:
    marked = changed(evidence, row_id, verified=verified, note="marked by a test")
    prior = effect_prior(marked, "severe_crs", ("ferritin", EVERYWHERE, ""))
    assert prior.unread == (verified == "unread")


@pytest.mark.parametrize(
    ("field", "marked"),
    [
        ("crs_severe_pct", ["severe_crs"]),
        ("icans_severe_pct", ["severe_icans"]),
        ("n_treated", ["severe_crs", "severe_icans"]),
    ],
)
@pytest.mark.parametrize("marked_row", ["axi-cel-zuma1-cohort3-tocilizumab", COMPARED_WITH])
def test_an_unread_percentage_marks_the_effects_that_read_it_alone(
    evidence: Evidence, marked_row: str, field: str, marked: list[str]
) -> None:
    row_id, key = "axi-cel-zuma1-cohort3-tocilizumab", ("crs_prophylaxis", "*", "tocilizumab")
    marks: dict[str, dict[str, object]] = {COMPARED_WITH: {"verified": "read", "unread_fields": ()}}
    marks[row_id] = {"verified": "read", "unread_fields": ()}
    marks[marked_row] = {"verified": "partly_read", "unread_fields": (field,)}
    rows = tuple(row.model_copy(update=marks.get(row.id, {})) for row in evidence.incidence)
    given = replace(evidence, incidence=rows)
    assert [o for o in STEPS if effect_prior(given, o, key).unread] == marked


def test_a_lower_group_is_turned_round(evidence: Evidence) -> None:
    """Normal against raised LDH at 0.19 says the same as raised against normal at 5.3."""
    row_id, key = "ldh-normal-neurologic-severe-wudhikarn", ("ldh", EVERYWHERE, "")
    row = evidence.row(row_id)
    assert (row.effect < 1, row.comparison) == (True, "<=")
    turned = changed(
        evidence,
        row_id,
        comparison=">",
        effect=1 / row.effect,
        ci_low=1 / row.ci_high,
        ci_high=1 / row.ci_low,
    )
    first, second = (effect_prior(e, "severe_icans", key) for e in (evidence, turned))
    assert first.mean == pytest.approx(second.mean)
    assert first.mean > 0


def test_a_wider_interval_gives_a_smaller_effect_and_a_wider_prior(evidence: Evidence) -> None:
    key = ("ferritin", EVERYWHERE, "")
    before = effect_prior(evidence, "severe_crs", key)
    vague = changed(evidence, "ferritin-1500-icans-grade2plus-hmp", ci_low=0.1, ci_high=115.0)
    after = effect_prior(vague, "severe_crs", key)
    assert abs(after.mean) < abs(before.mean)
    assert after.sd > before.sd


@pytest.mark.parametrize("outcome", STEPS)
def test_the_figure_as_published_is_the_one_in_the_source(evidence: Evidence, outcome: str) -> None:
    base = evidence.row("axi-cel-zuma1-phase2")
    row = evidence.row("axi-cel-zuma1-cohort3-tocilizumab")
    field = "crs_severe_pct" if outcome == "severe_crs" else "icans_severe_pct"
    odds = []
    for one in (row, base):
        events = getattr(one, field) * one.n_treated / 100
        odds.append((events + 0.5) / (one.n_treated - events + 0.5))
    prior = effect_prior(evidence, outcome, ("crs_prophylaxis", EVERYWHERE, "tocilizumab"))
    assert prior.as_published == pytest.approx(log(odds[0] / odds[1]), rel=1e-12)
    assert abs(prior.mean) < abs(prior.before_transport) < abs(prior.as_published)


@pytest.mark.parametrize("word", ["tocilizumab", "steroid"])
@pytest.mark.parametrize("outcome", STEPS)
def test_prophylaxis_is_compared_as_the_table_compares_it(
    evidence: Evidence, outcome: str, word: str
) -> None:
    """The same counting on both sides, and the percentage that stands beside it in the source."""
    drug = {"tocilizumab": "tocilizumab", "steroid": "dexamethasone"}[word]
    toxicity = outcome.removeprefix("severe_")
    percent = f"{toxicity}_severe_pct"
    printed = evidence.row(f"prophylactic-{drug}-{toxicity}-severe-zuma1")
    prior = effect_prior(evidence, outcome, ("crs_prophylaxis", EVERYWHERE, word))
    exposed, base = (evidence.row(row_id) for row_id in prior.sources)
    assert (exposed.role, base.id) == ("prophylaxis", COMPARED_WITH)
    assert getattr(exposed, percent) == printed.percent_exposed
    assert getattr(base, percent) == printed.percent_unexposed
    assert exposed.crs_scale == base.crs_scale
    assert exposed.neurotoxicity_scale == base.neurotoxicity_scale


def test_every_usable_row_is_read_or_its_reason_stands_there(evidence: Evidence) -> None:
    read = {row_id for steps in STEPS.values() for each in steps.values() for _, row_id, _ in each}
    read.add(*published_association(evidence, "severe_crs").sources)
    usable = {row.id for row in evidence.associations if row.usable}
    assert usable - read == set(NOT_USED)


# ---- What nobody has published ---------------------------------------------------------


@pytest.mark.parametrize("outcome", STEPS)
@pytest.mark.parametrize("predictor", ["crp", "ferritin"])
def test_inflammation_has_no_assumed_effect_in_leukaemia(
    evidence: Evidence, outcome: str, predictor: str
) -> None:
    prior = effect_prior(evidence, outcome, (predictor, "B_ALL", ""))
    assert (prior.mean, prior.sources, prior.as_published) == (0.0, (), None)
    # Wide enough that a cohort can find the effect which lymphoma shows.
    assert prior.sd >= 0.4 * effect_prior(evidence, outcome, (predictor, EVERYWHERE, "")).mean
    assert prior.sd == CONTESTED_SPREAD > UNKNOWN_SPREAD


@pytest.mark.parametrize("outcome", STEPS)
def test_more_burden_means_more_toxicity_in_leukaemia_too(evidence: Evidence, outcome: str) -> None:
    prior = effect_prior(evidence, outcome, (BURDEN, "B_ALL", ""))
    assert prior.mean > 0
    assert prior.sources


def test_an_outcome_of_ones_own_has_no_published_effects(evidence: Evidence) -> None:
    prior = effect_prior(evidence, "hlh", ("ferritin", EVERYWHERE, ""))
    assert (prior.mean, prior.sources, prior.unread) == (0.0, (), False)
    assert declared_direction((BURDEN, EVERYWHERE, ""), "hlh") == 0


@pytest.mark.parametrize("predictor", ["age", "bridging", "prior_lines"])
def test_no_figure_of_icans_is_told_as_unused_of_another_outcome(
    evidence: Evidence, predictor: str
) -> None:
    assert effect_prior(evidence, "hlh", (predictor, EVERYWHERE, "")).how == (
        "no usable published figure"
    )


# ---- Transport -------------------------------------------------------------------------


def test_two_thirds_of_a_published_separation_survive(evidence: Evidence) -> None:
    assert transport(evidence) == pytest.approx(0.66, abs=0.01)


def test_transport_is_the_mean_of_two_scores_measured_again(evidence: Evidence) -> None:
    auc = {row.id: row.auc_external for row in evidence.performance}
    spread = sqrt(sum(typical(name).spread ** 2 for name in ("ldh", "creatinine", "platelets")))
    first = log(evidence.row("easix-doubling-severe-korell").effect) / log(2) * spread
    netherlands = convert.separation(auc["model-easix-deboer"])
    # EASIX of the typical patient: 236 U/L times 0.9 mg/dL over 150.
    z = (log(4.67) - log(236 * 0.9 / 150)) / spread
    germany = log(4.3) / (norm.pdf(z) / norm.sf(z) + norm.pdf(z) / norm.cdf(z))
    hematotox = convert.separation(auc["model-car-hematotox-deboer"]) / convert.separation(
        auc["model-car-hematotox-rejeski"]
    )
    easix = (netherlands + germany) / 2 / first
    assert transport(evidence) == pytest.approx((easix + hematotox) / 2)


def test_the_spread_of_easix_is_what_the_interval_of_its_odds_ratio_leaves(
    evidence: Evidence,
) -> None:
    """The error of a slope is 1 / (sd sqrt(n p (1 - p))), near no effect; p lies between two."""
    row, trial = evidence.row("easix-doubling-severe-korell"), evidence.row("axi-cel-zuma1-phase2")
    error = log(row.ci_high / row.ci_low) / (2 * norm.ppf(0.975))
    spread = sqrt(sum(typical(name).spread ** 2 for name in ("ldh", "creatinine", "platelets")))
    share_of_icans, share_of_crs = trial.icans_severe_pct / 100, trial.crs_severe_pct / 100
    widest, narrowest = (
        log(2) / (error * sqrt(row.n * p * (1 - p)))
        for p in (share_of_icans, share_of_icans + share_of_crs)
    )
    assert narrowest < spread < widest
    assert (narrowest, widest) == pytest.approx((0.86, 0.94), abs=0.005)


def test_transport_follows_the_rows(evidence: Evidence) -> None:
    better = tuple(
        row.model_copy(update={"auc_external": 0.85}) if "deboer" in row.id else row
        for row in evidence.performance
    )
    assert transport(replace(evidence, performance=better)) > transport(evidence)


# ---- Spread between patients -----------------------------------------------------------


def _prior(predictor: str, mean: float, scope: str = EVERYWHERE, word: str = "") -> EffectPrior:
    return EffectPrior((predictor, scope, word), mean, 0.2, mean, mean, (), False, "")


def _by_key(*priors: EffectPrior) -> dict[TermKey, EffectPrior]:
    return {prior.key: prior for prior in priors}


def test_effects_spread_patients_and_none_spreads_nobody() -> None:
    some, none = _prior("ldh", 0.5), _prior("ldh", 0.0)
    assert spread_of_linear_predictor(_by_key(none), "LBCL") == 0
    both = spread_of_linear_predictor(_by_key(some, _prior("crp", 0.5)), "LBCL")
    one = spread_of_linear_predictor(_by_key(some), "LBCL")
    assert sqrt(2) * one < both < 2 * one  # correlated, but not one and the same


def test_each_disease_counts_its_own_effect_once() -> None:
    assert DISEASE_SPECIFIC["crp"] == "B_ALL"
    priors = _by_key(_prior("crp", 0.5), _prior("crp", 0.0, "B_ALL"))
    assert spread_of_linear_predictor(priors, "LBCL") > 0
    assert spread_of_linear_predictor(priors, "B_ALL") == 0


def test_the_typical_creatinine_is_that_of_the_age() -> None:
    assert transformed_centre(typical("creatinine")) == 0.0


def test_one_product_may_have_typical_patients_of_its_own() -> None:
    """Children and young adults: the typical patient of all others is not theirs."""
    assert typical("age", "B_ALL").centre == 44
    assert typical("age", "B_ALL", "tisagenlecleucel").centre == 11
    assert typical("age", "LBCL", "tisagenlecleucel") == typical("age")


def test_no_published_figure_moves_severe_crs_by_prior_lines(evidence: Evidence) -> None:
    """One unadjusted pair in mantle cell lymphoma, 13 against 10 %, says nothing of myeloma."""
    prior = effect_prior(evidence, "severe_crs", ("prior_lines", EVERYWHERE, ""))
    assert (prior.mean, prior.sources) == (0.0, ())


@pytest.mark.parametrize("predictor", ["ldh", "crp", "age"])
def test_a_typical_patient_is_the_centre_of_its_scale(predictor: str) -> None:
    value = typical(predictor)
    centre = transformed_centre(value)
    back = {"log1p": value.centre, "identity": value.centre, "ldh_ratio": value.centre}
    if value.transform == "ldh_ratio":
        assert centre == pytest.approx(log(back["ldh_ratio"] / 250.0))
    else:
        assert centre == pytest.approx(float(FUNCTIONS[value.transform](value.centre)))


def test_a_disease_without_typical_values_of_its_own_takes_the_general_ones() -> None:
    assert typical("ldh", "FL") == typical("ldh")
    assert typical("ldh", "MM") != typical("ldh")


def test_a_hazard_that_is_the_same_in_both_groups_has_an_error_too(evidence: Evidence) -> None:
    """Published as 1.00, it is no effect known as well as its neighbours, not 0 / 0."""

    def prior(hazard_ratio: float) -> EffectPrior:
        rows = tuple(
            row.model_copy(
                update={"effect": hazard_ratio, "ci_low": hazard_ratio - 0.01}
                | {"ci_high": hazard_ratio + 0.01, "p_below": None}
            )
            if row.id == "age-icans-any-per-year-cibmtr"
            else row
            for row in evidence.associations
        )
        given = replace(evidence, associations=rows)
        return effect_prior(given, "severe_icans", ("age", "*", ""))

    assert prior(1.0).sd == pytest.approx(prior(1.0001).sd, abs=1e-3)
    assert prior(1.0).mean == pytest.approx(prior(1.0001).mean, abs=1e-2)


def test_what_is_published_and_not_used_is_said(evidence: Evidence) -> None:
    prior = effect_prior(evidence, "severe_icans", ("bridging", EVERYWHERE, "chemo"))
    assert prior.how.startswith("bridging-neurologic-severe-wudhikarn is not used: unadjusted")
    other = effect_prior(evidence, "severe_crs", ("bridging", EVERYWHERE, "chemo"))
    assert other.how == "no usable published figure"


def test_every_size_of_a_yes_or_no_effect_that_could_not_be_used_is_heard(
    evidence: Evidence,
) -> None:
    """Products differ by their rates; other prophylaxis is read from its cohorts."""
    of_cohorts = {f"prophylactic-{drug}" for drug in ("tocilizumab", "dexamethasone")}
    unheard = {
        row.id
        for row in evidence.associations
        if not row.usable
        and isinstance(PREDICTORS.get(row.predictor), Category | Flag)
        and row.predictor != "product"
        and (row.effect is not None or row.percent_unexposed is not None)
        and "-".join(row.id.split("-")[:2]) not in of_cohorts
    }
    heard = {row_id for words in SPOKEN_OF.values() for rows in words.values() for row_id in rows}
    assert heard == unheard
    assert all(not set(words) & set(STEPS[outcome]) for outcome, words in SPOKEN_OF.items())


@pytest.mark.parametrize("outcome", STEPS)
def test_an_effect_of_which_a_size_was_told_is_believed_less_surely_to_be_none(
    evidence: Evidence, outcome: str
) -> None:
    for key, rows in SPOKEN_OF[outcome].items():
        prior = effect_prior(evidence, outcome, key)
        assert (prior.mean, prior.sd) == (0.0, SPOKEN_OF_SPREAD)
        assert all(f"{row_id} is not used: " in prior.how for row_id in rows)


def test_the_spread_of_what_was_told_holds_the_figure_that_it_is_for(evidence: Evidence) -> None:
    low, high = (exp(side * norm.ppf(0.95) * SPOKEN_OF_SPREAD) for side in (-1, 1))
    assert (round(low, 2), round(high, 1)) == (0.44, 2.3)
    row = evidence.row("prophylactic-anakinra-icans-severe")
    odds = [p / (100 - p) for p in (row.percent_exposed, row.percent_unexposed)]
    assert odds[0] / odds[1] == pytest.approx(0.25)
    assert abs(transport(evidence) * log(0.25)) < 2 * SPOKEN_OF_SPREAD
