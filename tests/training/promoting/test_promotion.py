"""Only what keeps its limits, and is not worse than what answers, answers; or somebody signs."""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_schemas.cohort_table import Cohort
from data_schemas.evidence import load_evidence
from data_schemas.model_manifest import MANIFEST_FILE
from data_schemas.patient_request import read_patient
from data_schemas.risk_assessment import CautionCode, Status
from serving.assess import assess
from serving.model.artefact import MODEL_FILE, VERDICT_FILE, Artefact, canonical_json, load_artefact
from serving.model.store import CURRENT_FILE, load_current, make_current, save_artefact
from serving.openapi import EXAMPLE_PATIENT
from tests.conftest import Store
from training.judging.ruling import ruling_of
from training.judging.verdict import NO_LIMITS, Limit, Verdict
from training.pipeline import Run
from training.promoting.ledger import LOCK_FILE, Ledger
from training.promoting.promotion import AnswersAlready, Beside, PromotionRefused, promote, rollback
from training.run_record import of_training
from training.scoring import score_cohort
from training.tracking import CHAMPION, Registered, Registry

ICANS = "severe_icans"
KEPT = Limit(name="ici", at_most=0.05, reached=0.01, met=True, in_words="ICI 0.01 is small.")
BROKEN = Limit(
    name="calibration_slope",
    at_least=0.8,
    reached=0.52,
    met=False,
    in_words="Calibration slope 0.52 lies 0.28 below 0.80: risks are too extreme.",
)

Promote = Callable[..., Any]
Make = Callable[..., Registered]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield Registry(tmp_path_factory.mktemp("registry"))


def judged_as(
    artefact: Artefact, root: Path, *limits: Limit, real_patients: int | None = None
) -> Artefact:
    """Return the same model with another verdict, and so of another version."""
    ruling = ruling_of(artefact)
    assert ruling is not None
    accepted = all(limit.met for limit in limits)
    verdict = Verdict(accepted=accepted, in_words="a test", limits=limits) if limits else NO_LIMITS
    content = canonical_json(ruling.model_copy(update={"verdict": verdict}).model_dump(mode="json"))
    manifest = artefact.manifest
    if real_patients is not None:
        cohort = manifest.cohort.model_copy(update={"real_patients": real_patients})
        manifest = manifest.model_copy(update={"cohort": cohort})
    files = {**artefact.files, VERDICT_FILE: content}
    del files[MANIFEST_FILE]
    return load_artefact(save_artefact(root, artefact.model, manifest, files))


@pytest.fixture
def made(registry: Registry, tmp_path: Path) -> Make:
    """Register the model of a run with limits of one's own."""

    def registered(run: Run, *limits: Limit, **changes: Any) -> Registered:
        artefact = judged_as(run.artefact, tmp_path / "made", *limits, **changes)
        kept = all(limit.met for limit in limits)
        return registry.record(replace(of_training(run), artefact=artefact, accepted=kept))

    return registered


@pytest.fixture
def let_answer(registry: Registry, tmp_path: Path) -> Promote:
    def promoted(version: Registered, reason: str = "a test", **how: Any) -> Any:
        beside = how.pop("beside", Beside(tmp_path / "nowhere"))
        return promote(
            registry,
            tmp_path / "store",
            ICANS,
            version=version.version,
            reason=reason,
            beside=beside,
            **how,
        )

    return promoted


def answers(tmp_path: Path) -> str | None:
    current = load_current(tmp_path / "store")
    return current[ICANS].version if current else None


# ---- Limits --------------------------------------------------------------------------------------


def test_a_version_that_keeps_its_limits_answers(
    made: Make, let_answer: Promote, evidence_run: Run, tmp_path: Path
) -> None:
    version = made(evidence_run, KEPT)
    done = let_answer(version)
    assert version.accepted == "yes"
    assert answers(tmp_path) == done.version == version.version
    assert (done.overridden, done.signed_by, done.compared) == ((), None, "")


@pytest.mark.parametrize(("limit", "marked"), [(KEPT, False), (BROKEN, True)])
def test_every_answer_of_a_model_that_breaks_a_limit_says_so(
    made: Make,
    let_answer: Promote,
    evidence_run: Run,
    cohort: Cohort,
    tmp_path: Path,
    limit: Limit,
    marked: bool,
) -> None:
    """One patient's answer and a scored table alike."""
    let_answer(made(evidence_run, limit), override=True, signed_by="Dr A")
    store = tmp_path / "store"
    answer = assess(read_patient(EXAMPLE_PATIENT), load_current(store), load_evidence())
    said = {c.code: c.text for c in answer.cautions}
    assert (CautionCode.LIMITS_NOT_KEPT in said) == marked
    assert answer.status == Status.CAUTION or not marked
    if marked:
        outcome, text = answer.outcomes[0], said[CautionCode.LIMITS_NOT_KEPT]
        assert text in outcome.reasons
        assert text.startswith(f"{outcome.label}: the model did not pass")
    statuses = set(score_cohort(cohort, store)[f"{ICANS}_status"])
    assert (Status.OK in statuses) != marked


def test_nobody_promotes_while_somebody_does(
    made: Make,
    let_answer: Promote,
    evidence_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From before the store changes until the ledger and the registry say so."""
    alone = []

    def watched(act: Callable[..., None]) -> Callable[..., None]:
        def acted(*arguments: Any, **named: Any) -> None:
            with (tmp_path / "store" / LOCK_FILE).open("ab") as other, suppress(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                pytest.fail("another could promote, too")
            alone.append(act.__name__)
            act(*arguments, **named)

        return acted

    monkeypatch.setattr("training.promoting.promotion.make_current", watched(make_current))
    monkeypatch.setattr(Registry, "set_alias", watched(Registry.set_alias))
    let_answer(made(evidence_run, KEPT))
    assert alone == ["make_current", "set_alias"]


def test_a_refusal_says_which_limit_and_by_how_much_and_changes_nothing(
    made: Make, let_answer: Promote, evidence_run: Run, registry: Registry, tmp_path: Path
) -> None:
    version = made(evidence_run, KEPT, BROKEN)
    with pytest.raises(PromotionRefused) as refused:
        let_answer(version)
    said = str(refused.value)
    assert f"{ICANS} {version.version} may not answer" in said
    assert BROKEN.in_words in said
    assert KEPT.in_words not in said
    assert "--override --who NAME --reason TEXT" in said
    assert version.accepted == "no"
    assert answers(tmp_path) is None
    assert Ledger(tmp_path / "store").lines() == []
    assert CHAMPION not in registry.find(ICANS, version.version).aliases


def test_an_override_is_signed_and_kept_for_ever(
    made: Make, let_answer: Promote, evidence_run: Run, tmp_path: Path
) -> None:
    version = made(evidence_run, KEPT, BROKEN)
    let_answer(version, "the ward has no other", signed_by="Dr A. Nobody", override=True)
    assert answers(tmp_path) == version.version
    (line,) = Ledger(tmp_path / "store").lines()
    assert line.overridden == (BROKEN.in_words,)
    assert (line.signed_by, line.reason) == ("Dr A. Nobody", "the ward has no other")


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({"override": True}, "--who NAME"),
        ({"override": True, "signed_by": "  "}, "--who NAME"),
        ({"override": True, "signed_by": "A", "reason": " "}, "--reason TEXT"),
        ({"reason": ""}, "--reason TEXT"),
    ],
)
def test_an_override_without_a_name_or_a_reason_is_refused(
    made: Make,
    let_answer: Promote,
    evidence_run: Run,
    tmp_path: Path,
    how: dict[str, Any],
    wanted: str,
) -> None:
    version = made(evidence_run, BROKEN)
    with pytest.raises(PromotionRefused, match=wanted):
        let_answer(version, **how)
    assert answers(tmp_path) is None


def test_without_a_declared_limit_nothing_speaks_for_a_model(
    made: Make, let_answer: Promote, evidence_run: Run
) -> None:
    with pytest.raises(PromotionRefused, match="No limit was declared"):
        let_answer(made(evidence_run))


def test_a_model_that_was_never_judged_is_refused(
    registry: Registry, let_answer: Promote, evidence_run: Run, tmp_path: Path
) -> None:
    artefact = evidence_run.artefact
    files = {n: c for n, c in artefact.files.items() if n not in (VERDICT_FILE, MANIFEST_FILE)}
    old = load_artefact(save_artefact(tmp_path / "old", artefact.model, artefact.manifest, files))
    with pytest.raises(PromotionRefused, match="never held against any limit"):
        let_answer(registry.record(replace(of_training(evidence_run), artefact=old)))


def test_a_verdict_cannot_be_exchanged_under_a_version(evidence_run: Run, tmp_path: Path) -> None:
    """Another verdict is another version: it is one of the files that the manifest hashes."""
    kept, broken = (judged_as(evidence_run.artefact, tmp_path, limit) for limit in (KEPT, BROKEN))
    assert kept.version != broken.version
    (broken.folder / VERDICT_FILE).write_bytes((kept.folder / VERDICT_FILE).read_bytes())
    with pytest.raises(ValueError, match=r"verdict\.json changed"):
        load_artefact(broken.folder)


def test_no_limit_stands_in_the_way_of_a_rollback(
    made: Make, let_answer: Promote, evidence_run: Run, registry: Registry, tmp_path: Path
) -> None:
    first, second = made(evidence_run, BROKEN), made(evidence_run, KEPT)
    let_answer(first, override=True, signed_by="A")
    let_answer(second)
    done = rollback(registry, tmp_path / "store", ICANS, reason="alarm")
    assert answers(tmp_path) == done.version == first.version


# ---- Beside the version in service ---------------------------------------------------------------


def test_a_champion_of_no_patient_is_replaced_with_a_word(
    made: Make, let_answer: Promote, evidence_run: Run, cohort_run: Run, tmp_path: Path
) -> None:
    let_answer(made(evidence_run, KEPT))
    done = let_answer(made(cohort_run, KEPT))
    assert "No paired comparison" in done.compared
    assert "is not on this machine (--cohort names patients for both)" in done.compared
    assert answers(tmp_path) == done.version


def test_a_champion_of_real_patients_is_not_replaced_unseen(
    made: Make, let_answer: Promote, evidence_run: Run, cohort_run: Run, tmp_path: Path
) -> None:
    champion = made(cohort_run, KEPT, real_patients=290)
    let_answer(champion)
    challenger = made(evidence_run, KEPT)
    with pytest.raises(PromotionRefused, match="fitted to 290 real patients") as refused:
        let_answer(challenger)
    assert "--cohort" in str(refused.value)
    assert answers(tmp_path) == champion.version
    done = let_answer(challenger, override=True, signed_by="A")
    assert "290 real patients" in done.overridden[0]


def test_a_model_that_somebody_signed_for_says_so_in_every_answer_also_after_a_rollback(
    made: Make,
    let_answer: Promote,
    evidence_run: Run,
    cohort_run: Run,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """Of a model that keeps its limits, but was not held against the one in service."""
    store = tmp_path / "store"

    def is_marked() -> bool:
        answer = assess(read_patient(EXAMPLE_PATIENT), load_current(store), load_evidence())
        return CautionCode.LIMITS_NOT_KEPT in {caution.code for caution in answer.cautions}

    real, evidence = made(cohort_run, KEPT, real_patients=290), made(evidence_run, KEPT)
    let_answer(real)
    assert not is_marked()
    let_answer(evidence, override=True, signed_by="A")
    assert is_marked()
    let_answer(real)
    assert not is_marked()
    assert rollback(registry, store, ICANS, reason="alarm").version == evidence.version
    assert is_marked()


def test_what_answers_already_is_not_compared_with_itself(
    made: Make, let_answer: Promote, cohort_run: Run
) -> None:
    version = made(cohort_run, KEPT, real_patients=290)
    assert let_answer(version).compared == ""
    assert let_answer(version) is None


# ---- Twice, and cut off --------------------------------------------------------------------------


def test_of_what_answers_already_nothing_changes_but_an_alias_that_was_left_behind(
    made: Make, let_answer: Promote, evidence_run: Run, registry: Registry, tmp_path: Path
) -> None:
    """The alias moves last: a promotion may have been cut off before it."""
    store = tmp_path / "store"
    before, version = made(evidence_run, BROKEN), made(evidence_run, KEPT)
    let_answer(version, "the first time")
    registry.set_alias(before, CHAMPION)
    kept = {path.name: path.read_bytes() for path in store.glob("**/*") if path.is_file()}
    with pytest.raises(AnswersAlready):
        let_answer(version, "once more")
    assert {p.name: p.read_bytes() for p in store.glob("**/*") if p.is_file()} == kept
    assert [line.reason for line in Ledger(store).lines()] == ["the first time"]
    assert registry.find(ICANS, CHAMPION).version == version.version


@pytest.mark.parametrize(
    "how", [{"reason": "a better one"}, {"override": True, "signed_by": "Dr B"}]
)
def test_a_reason_or_a_signature_for_what_answers_already_is_not_taken_in_silence(
    made: Make, let_answer: Promote, evidence_run: Run, tmp_path: Path, how: dict[str, Any]
) -> None:
    """Whoever gives one means another version, and would believe that it answers now."""
    version = made(evidence_run, KEPT)
    let_answer(version, "a test")
    with pytest.raises(AnswersAlready) as told:
        let_answer(version, **how)
    assert f"{ICANS} {version.version} answers already, since " in str(told.value)
    assert "`cart-risk models` lists what was trained; --version" in str(told.value)
    assert len(Ledger(tmp_path / "store").lines()) == 1
    assert let_answer(version, "a test") is None


def test_a_second_promotion_does_not_wash_an_override_off(
    made: Make, let_answer: Promote, evidence_run: Run, cohort_run: Run, tmp_path: Path
) -> None:
    let_answer(made(cohort_run, KEPT, real_patients=290))
    evidence = made(evidence_run, KEPT)
    let_answer(evidence, override=True, signed_by="A")
    with pytest.raises(AnswersAlready):
        let_answer(evidence)
    assert load_current(tmp_path / "store")[ICANS].overridden


def test_a_promotion_that_was_cut_off_before_the_ledger_is_completed(
    made: Make, let_answer: Promote, evidence_run: Run, cohort_run: Run, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    first, second = made(evidence_run, KEPT), made(cohort_run, KEPT)
    let_answer(first)
    make_current(store, judged_as(cohort_run.artefact, tmp_path / "made", KEPT))
    assert answers(tmp_path) == second.version
    done = let_answer(second, "again")
    assert (done.version_before, done.version) == (first.version, second.version)
    assert [line.version for line in Ledger(store).lines()] == [first.version, second.version]
    assert f"No paired comparison with {first.version}" in done.compared


def test_what_was_overridden_by_a_promotion_that_was_cut_off_must_be_signed_again(
    made: Make, let_answer: Promote, evidence_run: Run, cohort_run: Run, tmp_path: Path
) -> None:
    let_answer(made(cohort_run, KEPT, real_patients=290))
    evidence = made(evidence_run, KEPT)
    unsigned = judged_as(evidence_run.artefact, tmp_path / "made", KEPT)
    make_current(tmp_path / "store", unsigned, overridden=True)
    with pytest.raises(PromotionRefused, match="fitted to 290 real patients"):
        let_answer(evidence)
    let_answer(evidence, override=True, signed_by="A")
    assert load_current(tmp_path / "store")[ICANS].overridden


# ---- What was spoilt -----------------------------------------------------------------------------


def spoil(tmp_path: Path, outcome: str) -> None:
    (tmp_path / "store" / outcome / answers_of(tmp_path, outcome) / MODEL_FILE).write_bytes(b"")


def answers_of(tmp_path: Path, outcome: str) -> str:
    pointer = json.loads((tmp_path / "store" / outcome / CURRENT_FILE).read_bytes())
    return str(pointer["version"])


def test_what_answers_and_was_spoilt_is_mended_by_promoting_it_again(
    made: Make, let_answer: Promote, cohort_run: Run, evidence_run: Run, tmp_path: Path
) -> None:
    let_answer(made(cohort_run, KEPT, real_patients=290))
    version = made(evidence_run, KEPT)
    let_answer(version, override=True, signed_by="A")
    spoil(tmp_path, ICANS)
    assert let_answer(version, "the disk broke") is None
    current = load_current(tmp_path / "store")[ICANS]
    assert (current.version, current.overridden) == (version.version, True)


def test_another_version_is_compared_with_a_spoilt_one_as_it_was_registered(
    made: Make, let_answer: Promote, cohort_run: Run, evidence_run: Run, tmp_path: Path
) -> None:
    let_answer(made(cohort_run, KEPT, real_patients=290))
    spoil(tmp_path, ICANS)
    with pytest.raises(PromotionRefused, match="fitted to 290 real patients"):
        let_answer(made(evidence_run, KEPT))


def test_a_spoilt_model_of_another_outcome_stands_in_nobodys_way(
    made: Make, let_answer: Promote, evidence_run: Run, evidence_store: Store, tmp_path: Path
) -> None:
    make_current(tmp_path / "store", evidence_store.artefacts["severe_crs"])
    spoil(tmp_path, "severe_crs")
    version = made(evidence_run, KEPT)
    let_answer(version)
    assert answers_of(tmp_path, ICANS) == version.version
