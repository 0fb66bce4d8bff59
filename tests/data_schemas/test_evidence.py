"""Does the evidence say what was published, and does the loader refuse what contradicts?"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from itertools import combinations
from math import log
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.evidence import Evidence, EvidenceError, Incidence, load_evidence, vocabulary
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS
from data_schemas.products import DISEASES, LYMPHOMAS, PRODUCTS, WITHOUT_PUBLISHED_EFFECTS

EVIDENCE = Path(str(files("data_schemas.evidence")))
Break = Callable[[str, str, str], None]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """The packaged evidence."""
    return load_evidence()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tables that a test may break."""
    for table in ("references", "incidence", "associations", "distributions", "performance"):
        shutil.copy(EVIDENCE / f"{table}.toml", tmp_path)
    return tmp_path


@pytest.fixture
def break_row(copy: Path) -> Break:
    """Replace text within one row of one file."""

    def replace(row_id: str, old: str, new: str) -> None:
        for path in copy.glob("*.toml"):
            head, mark, tail = path.read_text(encoding="utf-8").partition(f'id = "{row_id}"\n')
            if mark:
                row, gap, rest = (mark + tail).partition("\n\n")
                assert old in row, f"{old!r} does not stand in {row_id}"
                path.write_text(head + row.replace(old, new, 1) + gap + rest, encoding="utf-8")
                return
        raise AssertionError(f"no row {row_id}")

    return replace


def problems_of(directory: Path) -> set[tuple[str, str]]:
    """Row and field of every problem in a folder that must not load."""
    with pytest.raises(EvidenceError) as caught:
        load_evidence(directory)
    return {(problem.row, problem.field) for problem in caught.value.problems}


# ---- published figures


def test_juliet_counts_severe_crs_on_the_penn_scale(evidence: Evidence) -> None:
    """JULIET: 22 % severe, read; n and neurotoxicity not re-read."""
    juliet = evidence.row("tisa-cel-juliet")
    assert (juliet.crs_severe_pct, juliet.crs_scale, juliet.n_treated) == (22, "Penn2014", 111)
    assert juliet.mark("crs_severe_pct") == "read"
    assert juliet.mark("n_treated") == "unread"
    assert juliet.mark("events_crs_severe") == "unread"


def test_eliana_is_read_in_full(evidence: Evidence) -> None:
    """ELIANA: 47 % severe CRS on Penn, 13 % severe neurotoxicity, 75 patients."""
    eliana = evidence.row("tisa-cel-eliana")
    assert (eliana.crs_severe_pct, eliana.icans_severe_pct) == (47, 13)
    assert (eliana.crs_scale, eliana.neurotoxicity_scale) == ("Penn2014", "CTCAE")
    assert (eliana.events_crs_severe, eliana.events_icans_severe) == (35, 10)
    assert eliana.mark("events_icans_severe") == "read"


def test_zuma7_is_unread_in_every_figure(evidence: Evidence) -> None:
    """ZUMA-7 was not re-read, so no figure of it may be shown as read."""
    zuma7 = evidence.row("axi-cel-zuma7")
    assert (zuma7.n_treated, zuma7.crs_severe_pct, zuma7.icans_severe_pct) == (170, 6, 21)
    assert zuma7.verified == "unread"
    assert {zuma7.mark(name) for name in Incidence.model_fields} == {"unread"}


def test_registry_percentages_of_axi_cel_are_unread_but_its_n_is_read(evidence: Evidence) -> None:
    """CIBMTR axi-cel: the mark differs between figures of one row."""
    row = evidence.row("axi-cel-cibmtr-jacobson")
    assert (row.n_treated, row.mark("n_treated")) == (1297, "read")
    assert (row.icans_severe_pct, row.mark("icans_severe_pct")) == (24, "unread")


def test_korell_gives_an_odds_ratio_per_doubling_of_easix(evidence: Evidence) -> None:
    """OR 1.72 (1.26-2.46) per doubling in 93 patients of ZUMA-1."""
    row = evidence.row("easix-doubling-severe-korell")
    assert (row.measure, row.contrast_kind) == ("OR", "per_doubling")
    assert (row.effect, row.ci_low, row.ci_high, row.n) == (1.72, 1.26, 2.46, 93)
    assert row.usable
    assert row.mark("effect") == "read"


def test_de_boer_shows_no_association_with_severe_toxicity(evidence: Evidence) -> None:
    """The key negative finding is kept, without a number."""
    row = evidence.row("easix-family-severe-null-deboer")
    assert (row.direction, row.effect, row.usable) == ("none", None, False)
    assert "m_easix" in row.predictors


def test_a_direction_is_that_of_the_group_named_first(evidence: Evidence) -> None:
    """Normal against high LDH has HR 0.19: fewer events where it is normal."""
    row = evidence.row("ldh-normal-neurologic-severe-wudhikarn")
    assert (row.effect, row.comparison, row.direction) == (0.19, "<=", "decreases")


def test_interval_of_a_median_is_not_taken_for_quartiles(evidence: Evidence) -> None:
    """LDH in myeloma: 194-218 U/L is the 95 % interval of the median 208."""
    row = evidence.row("hematotox-mm-ldh")
    assert (row.value, row.low, row.high, row.unit) == (208, 194, 218, "U/L")
    assert row.range_type == "ci95_of_median"


def test_external_auc_of_easix_is_a_reported_range(evidence: Evidence) -> None:
    """de Boer 2023: 0.61-0.62 for ICANS of grade 2 or more."""
    row = evidence.row("model-easix-deboer")
    assert (row.auc_external_low, row.auc_external_high) == (0.61, 0.62)
    assert row.auc_internal is None


# ---- roles


def test_a_trial_is_pooled_once(evidence: Evidence) -> None:
    """Of three ZUMA-1 rows without prophylaxis one is a base rate; the others point to it."""
    rows = [row for row in evidence.incidence if row.study.startswith("ZUMA-1,")]
    pooled = [row.id for row in rows if row.role == "base_rate"]
    overlapping = [row for row in rows if row.role == "overlapping"]
    assert pooled == ["axi-cel-zuma1-label2017"]
    assert [row.overlaps_with for row in overlapping] == [("axi-cel-zuma1-label2017",)] * 2


def test_base_rates_hold_no_prophylaxis_no_mix_and_no_blank(evidence: Evidence) -> None:
    """What a synthesis may pool has one product, n, a severe percentage and its scale."""
    for row in (row for row in evidence.incidence if row.role == "base_rate"):
        assert row.product not in ("mixed", "investigational", "all")
        assert row.n_treated is not None
        assert "prevent" not in (row.population or "")
        assert row.events_crs_severe is not None or row.events_icans_severe is not None


def test_rows_are_complete(evidence: Evidence) -> None:
    """No row may vanish; adding rows raises these floors."""
    counts = [
        len(evidence.incidence),
        len(evidence.associations),
        len(evidence.distributions),
        len(evidence.performance),
    ]
    assert all(have >= floor for have, floor in zip(counts, (65, 106, 145, 25), strict=True))


def test_rows_known_after_infusion_are_never_usable(evidence: Evidence) -> None:
    """CRS itself is a strong sign of ICANS and useless before infusion."""
    assert evidence.row("crs-itself-neurologic-severe-wudhikarn").effect == 22.48
    assert not any(row.usable for row in evidence.associations if row.timing == "post_infusion")


# ---- references


def test_every_reference_is_cited_and_dois_are_unique(evidence: Evidence) -> None:
    """The list of references is neither longer nor shorter than what the rows cite."""
    cited = {key for row in evidence.rows() for key in (row.reference, *row.also)}
    dois = [ref.doi for ref in evidence.references.values() if ref.doi]
    assert cited == set(evidence.references)
    assert len(dois) == len(set(dois))
    assert evidence.references["neelapu2017"].doi == "10.1056/NEJMoa1707447"
    assert evidence.references["neelapu2017"].pmid == "29226797"


def test_evidence_is_frozen_and_read_once(evidence: Evidence) -> None:
    """Two callers share the same records, and neither can change them."""
    assert load_evidence() is evidence
    with pytest.raises(ValidationError):
        evidence.incidence[0].crs_severe_pct = 1.0
    with pytest.raises(TypeError):
        evidence.references["new"] = evidence.references["neelapu2017"]  # type: ignore[index]
    assert len({*evidence.rows()}) == len(list(evidence.rows()))


def test_loading_needs_no_pandas() -> None:
    code = (
        "import sys, data_schemas.evidence as e; e.load_evidence(); print('pandas' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_mark_of_an_unknown_field_is_an_error(evidence: Evidence) -> None:
    """A misspelt field must not pass as read."""
    with pytest.raises(KeyError, match="crs_severe_percent"):
        evidence.row("tisa-cel-eliana").mark("crs_severe_percent")


@given(n=st.integers(1, 5000), events=st.data())
def test_events_are_recovered_from_a_rounded_percentage(n: int, events: st.DataObject) -> None:
    """A percentage to one decimal gives back every count up to n = 500, and never exceeds n."""
    count = events.draw(st.integers(0, n))
    eliana = load_evidence().row("tisa-cel-eliana")
    row = eliana.model_copy(
        update={"n_treated": n, "crs_severe_pct": round(100 * count / n, 1), "role": "base_rate"}
    )
    assert 0 <= row.events_crs_severe <= n
    if n <= 500:
        assert row.events_crs_severe == count


# ---- contradictions

JULIET, LABEL, KORELL, AGE, PER_YEAR = (
    "tisa-cel-juliet",
    "tisa-cel-juliet-label2018",
    "easix-doubling-severe-korell",
    "age-over-64-icans-any-cibmtr",
    "age-icans-any-per-year-cibmtr",
)


@pytest.mark.parametrize(
    ("row", "old", "new", "field"),
    [
        (JULIET, "crs_any_pct = 58", "crs_any_pct = 580", "crs_any_pct"),
        (JULIET, "crs_any_pct = 58", "crs_any_pct = nan", "crs_any_pct"),
        (JULIET, "crs_severe_pct = 22", "crs_severe_pct = 62", "crs_severe_pct"),
        (JULIET, "n_treated = 111", "n_treated = 0", "n_treated"),
        (JULIET, "n_treated = 111", 'n_treated = "111"', "n_treated"),
        (JULIET, 'crs_scale = "Penn2014"', 'crs_scale = "Penn"', "crs_scale"),
        (JULIET, 'crs_scale = "Penn2014"\n', "", "crs_scale"),
        (JULIET, '"n_treated", ', '"patients", ', "unread_fields"),
        (JULIET, '"n_treated", ', '"shares", ', "unread_fields"),
        (JULIET, 'verified = "partly_read"', 'verified = "read"', "unread_fields"),
        (JULIET, "year = 2019", "year = 2019\nage = 60", "age"),
        (JULIET, 'reference = "schuster2019"', 'reference = "schuster"', "reference"),
        (JULIET, 'role = "base_rate"', 'role = "incomplete"', "role"),
        (JULIET, 'product = "tisagenlecleucel"', 'product = "mixed"', "role"),
        ("tisa-cel-juliet-label2018", '["tisa-cel-juliet"]', '["juliet"]', "overlaps_with"),
        ("mixed-cibmtr-age", "= 0.25", "= 0.45", "shares"),
        (KORELL, "effect = 1.72", "effect = 2.72", "effect"),
        (KORELL, "effect = 1.72", "effect = -1.72", "effect"),
        (KORELL, "ci_low = 1.26", "ci_low = 3.26", "ci_low"),
        (KORELL, 'direction = "increases"', 'direction = "decreases"', "direction"),
        (KORELL, "usable = true", "usable = false", "why_not"),
        (KORELL, "ci_low = 1.26\nci_high = 2.46\n", "", "usable"),
        (KORELL, "ci_low = 1.26\nci_high = 2.46\n", "p = 0\n", "p"),
        (KORELL, "ci_low = 1.26\nci_high = 2.46\n", "p = 1.0\n", "p"),
        (KORELL, "ci_low = 1.26\nci_high = 2.46\n", "p_below = 0\n", "p_below"),
        (KORELL, "ci_low = 1.26\nci_high = 2.46\n", "ci_low = 1.72\nci_high = 1.72\n", "ci_low"),
        ("m-easix-auc-crs-severe-pennisi", "effect = 0.804", "effect = 1.0", "effect"),
        (AGE, 'timing = "infusion_day"', 'timing = "post_infusion"', "usable"),
        (AGE, 'comparison = ">"\n', "", "threshold"),
        (PER_YEAR, "per = 1\n", "per = 0\n", "per"),
        (PER_YEAR, "per = 1\n", "per = -1\n", "per"),
        (PER_YEAR, "per = 1\n", "per = 1e-300\n", "per"),
        (PER_YEAR, "per = 1\n", "per = 1e300\n", "per"),
        (PER_YEAR, "per = 1\n", "per = inf\n", "per"),
        (PER_YEAR, "per = 1\n", "", "per"),
        (AGE, "n = 1916", "n = 1916\nevents = 2000", "events"),
        ("m-easix-auc-crs-severe-pennisi", "effect = 0.804", "effect = 80.4", "effect"),
        ("zuma1-age", "low = 23", "low = 63", "value"),
        ("zuma1-age", 'range_type = "range"', 'range_type = "none"', "range_type"),
        ("zuma1-stage-iii-iv", "value = 85", "value = 185", "value"),
        ("model-zhou", "auc_internal = 0.876", "auc_internal = 1.876", "auc_internal"),
        ("model-zhou", "auc_internal = 0.876", "auc_internal = 0.976", "auc_internal"),
    ],
)
def test_a_contradiction_is_named_by_row_and_field(
    break_row: Break, copy: Path, row: str, old: str, new: str, field: str
) -> None:
    """Each kind of broken row is found where it is."""
    break_row(row, old, new)
    assert (row, field) in problems_of(copy)


def test_all_problems_are_reported_together(break_row: Break, copy: Path) -> None:
    """Problems in several files, and two in one row, come in a single error with their remedies."""
    break_row(JULIET, "n_treated = 111", "n_treated = -1")
    break_row(JULIET, "crs_severe_pct = 22", "crs_severe_pct = 62")
    break_row(KORELL, "effect = 1.72", "effect = 9.9")
    break_row("zuma1-age", "low = 23", "low = 63")
    break_row("model-zhou", "n = 87", "n = 0")
    with pytest.raises(EvidenceError) as caught:
        load_evidence(copy)
    found = [(problem.row, problem.field) for problem in caught.value.problems]
    assert found == [
        (JULIET, "n_treated"),
        (JULIET, "crs_severe_pct"),
        (KORELL, "effect"),
        ("zuma1-age", "value"),
        ("model-zhou", "n"),
    ]
    assert all(problem.limit and problem.remedy for problem in caught.value.problems)
    assert "incidence.toml [tisa-cel-juliet] crs_severe_pct: severe 62" in str(caught.value)


def test_an_id_stands_once_over_all_tables(break_row: Break, copy: Path) -> None:
    """The same id in two tables is named in both."""
    break_row("zuma1-age", 'id = "zuma1-age"', f'id = "{JULIET}"')
    with pytest.raises(EvidenceError) as caught:
        load_evidence(copy)
    files_named = {p.file for p in caught.value.problems if (p.row, p.field) == (JULIET, "id")}
    assert files_named == {"incidence.toml", "distributions.toml"}


def test_references_are_used_and_not_doubled(copy: Path) -> None:
    """A reference that nobody cites, a doubled DOI and a malformed PMID are problems."""
    path = copy / "references.toml"
    extra = (
        '\n[nobody2020]\nkind = "paper"\nwhere = "1:1"\ndoi = "10.1056/nejmoa1707447"\npmid = "x"\n'
    )
    path.write_text(path.read_text(encoding="utf-8") + extra, encoding="utf-8")
    assert {("nobody2020", "-"), ("nobody2020", "doi"), ("nobody2020", "pmid")} <= problems_of(copy)


def test_an_overlapping_row_points_to_a_pooled_one(break_row: Break, copy: Path) -> None:
    """Otherwise the trial would drop out of the synthesis altogether."""
    break_row(JULIET, 'role = "base_rate"', 'role = "subgroup"')
    assert ("tisa-cel-juliet-label2018", "overlaps_with") in problems_of(copy)


def test_unreadable_and_missing_files_are_problems_too(copy: Path) -> None:
    """A file that is gone and one that is not TOML are named with the rest."""
    (copy / "performance.toml").unlink()
    (copy / "distributions.toml").write_text("not toml", encoding="utf-8")
    (copy / "incidence.toml").write_text("[[incidences]]\n", encoding="utf-8")
    with pytest.raises(EvidenceError) as caught:
        load_evidence(copy)
    named = {p.file for p in caught.value.problems if p.row == "-"}
    assert {"performance.toml", "distributions.toml", "incidence.toml"} <= named


@pytest.mark.parametrize("junk", ["3", "[]", '"X !"', "[1]", "{ a = 1 }", "true"])
@pytest.mark.parametrize("key", ["id", "reference", "also", "overlaps_with", "unread_fields"])
def test_a_key_of_the_wrong_type_is_a_problem_not_a_crash(
    break_row: Break, copy: Path, key: str, junk: str
) -> None:
    """Whatever stands there, the loader lists it with the other problems of the row."""
    break_row(LABEL, "year = 2018\n", "")
    path = copy / "incidence.toml"
    head, mark, tail = path.read_text(encoding="utf-8").partition(f'id = "{LABEL}"\n')
    row, gap, rest = (mark + tail).partition("\n\n")
    kept = [line for line in row.splitlines() if not line.startswith(f"{key} =")]
    row = "\n".join([*kept, f"{key} = {junk}"])
    path.write_text(head + row + gap + rest, encoding="utf-8")
    found = problems_of(copy)
    assert any(field == "year" for _, field in found)
    assert any(field.split(".")[0] == key for _, field in found) or junk == "[]"


def test_a_trial_that_is_told_twice_was_counted_in_two_ways_only_on_two_scales(
    evidence: Evidence,
) -> None:
    """A larger set may add at most all of its further patients; more is another way of counting."""
    told = [row for row in evidence.incidence if row.icans_any_pct and row.n_treated]
    counted_otherwise = set()
    for one, other in combinations(told, 2):
        if {*one.overlaps_with, *other.overlaps_with} not in ({one.id}, {other.id}):
            continue
        fewer, more = sorted((one, other), key=lambda row: row.n_treated)
        of_fewer, of_more = (row.icans_any_pct * row.n_treated / 100 for row in (fewer, more))
        rounding = (fewer.n_treated + more.n_treated) / 200
        most = of_fewer + more.n_treated - fewer.n_treated + rounding
        if not of_fewer - rounding <= of_more <= most:
            assert one.neurotoxicity_scale != other.neurotoxicity_scale, (one.id, other.id)
            counted_otherwise |= {one.id, other.id}
    labels = {row_id for row_id in counted_otherwise if evidence.row(row_id).setting == "label"}
    assert {evidence.row(row_id).neurotoxicity_scale for row_id in labels} == {"CTCAE_all_events"}
    assert len(labels) == 5


def test_what_the_protocol_says_of_penn_is_what_the_tables_hold(evidence: Evidence) -> None:
    pooled = [row for row in evidence.incidence if row.role == "base_rate" and row.crs_severe_pct]
    times = [
        penn.crs_severe_pct / registry.crs_severe_pct
        for penn in pooled
        if penn.crs_scale == "Penn2014"
        for registry in pooled
        if registry.setting == "real_world"
        and (registry.product, registry.disease) == (penn.product, penn.disease)
    ]
    regraded = log(0.225 / 0.775) - log(0.17 / 0.83)
    protocol = (EVIDENCE / "PROTOCOL.md").read_text(encoding="utf-8")
    assert f"{min(times):.1f} to {max(times):.1f} times those of registries" in protocol
    assert f"by {regraded:.2f} in log-odds" in protocol


def test_every_product_and_disease_that_is_asked_about_may_stand_in_the_evidence() -> None:
    """A figure of a product whose word is not here could not be written down."""
    assert set(PRODUCTS) <= set(get_args(vocabulary.Product))
    assert set(DISEASES) <= set(get_args(vocabulary.Disease))


def test_diseases_without_published_effects_are_those_of_which_no_usable_row_speaks(
    evidence: Evidence,
) -> None:
    """Of myeloma a score is published; a lymphoma goes by the figures of other lymphomas."""
    usable = [row for row in evidence.associations if row.usable and row.predictor in PREDICTORS]
    words = {"severe_crs": ("crs",), "severe_icans": ("icans", "neurologic")}
    assert set(WITHOUT_PUBLISHED_EFFECTS) == set(OUTCOMES)
    for outcome, silent in WITHOUT_PUBLISHED_EFFECTS.items():
        about = [row for row in usable if any(word in row.outcome for word in words[outcome])]
        spoken_of = {disease for row in about for disease in row.diseases}
        assert silent == set(DISEASES) - spoken_of - set(LYMPHOMAS) - {"other"}
