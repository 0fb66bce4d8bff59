"""Which model answers is moved by name, recorded for ever, refused if tampered, moved back."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from serving.model.artefact import Artefact, ArtefactRefused, load_artefact
from serving.model.store import load_current, withdraw_current, withdrawn
from serving.promotion_files import LEDGER_FILE
from training.pipeline import Run, train
from training.promoting.ledger import LOCK_FILE, Ledger, LedgerBroken, Promotion
from training.promoting.promotion import Beside, promote, rollback
from training.promoting.withdrawal import WithdrawalRefused, withdraw
from training.run_record import of_training
from training.tracking import (
    CHALLENGER,
    CHAMPION,
    NotRegistered,
    Registered,
    Registry,
    RegistryUnavailable,
)
from training.tracking import registry as registry_module

ICANS = "severe_icans"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return Registry(home)


@pytest.fixture(scope="module")
def third_run(
    experiment_file: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    return train(experiment_file(seed=9), None, tmp_path_factory.mktemp("third"))


@pytest.fixture(scope="module")
def recorded(
    registry: Registry, evidence_run: Run, cohort_run: Run, third_run: Run
) -> list[Registered]:
    """Three versions, each a challenger in its turn."""
    runs = (evidence_run, cohort_run, third_run)
    return [registry.record(of_training(run)) for run in runs]


def answers(store: Path) -> str | None:
    artefacts = load_current(store)
    return artefacts[ICANS].version if ICANS in artefacts else None


def let_answer(
    registry: Registry, store: Path, version: str = CHALLENGER, reason: str = "a test"
) -> Promotion | None:
    """Promote whatever its verdict: these runs are too small to keep any limit."""
    return promote(
        registry,
        store,
        ICANS,
        version=version,
        reason=reason,
        beside=Beside(store / "nowhere"),
        signed_by="a tester",
        override=True,
    )


def promoted(registry: Registry, store: Path, *versions: Registered) -> list[str]:
    done = [let_answer(registry, store, version.version) for version in versions]
    return [promotion.version for promotion in done if promotion]


# ---- The registry --------------------------------------------------------------------------


def test_what_is_recorded_becomes_the_challenger(
    recorded: list[Registered], registry: Registry
) -> None:
    assert [r.aliases for r in recorded] == [(CHALLENGER,)] * 3
    assert [r.number for r in recorded] == ["1", "2", "3"]
    assert registry.find(ICANS, CHALLENGER).version == recorded[2].version
    listed = registry.versions()
    assert [r.version for r in listed] == [r.version for r in recorded[::-1]]


def test_a_version_says_on_whom_it_rests(recorded: list[Registered], cohort_run: Run) -> None:
    patients = cohort_run.artefact.manifest.cohort.patients
    assert [r.real_patients for r in recorded] == [0, 0, 0]
    assert [r.simulated_patients for r in recorded] == [0, patients, 0]
    assert recorded[1].local_deviation == cohort_run.artefact.manifest.local_deviation


def test_a_version_is_found_by_the_start_of_its_name(
    recorded: list[Registered], registry: Registry
) -> None:
    for version in recorded:
        assert registry.find(ICANS, version.version[:8]).sha256 == version.sha256


@pytest.mark.parametrize(
    ("outcome", "wanted"), [(ICANS, "ffffffffffff0"), (ICANS, ""), ("hlh", CHALLENGER)]
)
@pytest.mark.usefixtures("recorded")
def test_what_is_not_registered_is_named(registry: Registry, outcome: str, wanted: str) -> None:
    with pytest.raises(NotRegistered, match=outcome):
        registry.find(outcome, wanted)


def test_an_ambiguous_start_is_refused(
    recorded: list[Registered], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = [replace(r, version=f"abc{i}", aliases=()) for i, r in enumerate(recorded)]
    monkeypatch.setattr(registry, "versions", lambda: twins)
    with pytest.raises(NotRegistered, match="more than one"):
        registry.find(ICANS, "abc")
    assert registry.find(ICANS, "abc1") is twins[1]


def test_what_is_fetched_is_byte_for_byte_what_was_trained(
    recorded: list[Registered], registry: Registry, cohort_run: Run, tmp_path: Path
) -> None:
    fetched = load_artefact(registry.fetch(recorded[1], tmp_path), recorded[1].sha256)
    for path in cohort_run.artefact.folder.iterdir():
        assert (fetched.folder / path.name).read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("recorded")
def test_a_run_keeps_parameters_measures_and_figures(home: Path, cohort_run: Run) -> None:
    manifest = cohort_run.artefact.manifest
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        params = set(database.execute("select key, value from params"))
        metrics = {name for (name,) in database.execute("select distinct key from metrics")}
    assert {
        ("cohort_fingerprint", manifest.cohort.fingerprint),
        ("cohort_fingerprint", "no cohort"),
        ("outcome", ICANS),
        ("seed", "7"),
    } <= params
    assert {m.name for m in manifest.performance} <= metrics
    assert len(list(home.glob("mlflow_artifacts/*/artifacts/figures/*.png"))) >= 3


def test_another_registry_object_sees_the_same(
    recorded: list[Registered], registry: Registry, home: Path
) -> None:
    assert Registry(home).versions() == registry.versions()
    assert len(recorded) == 3


@pytest.mark.parametrize("content", [b"no database at all" * 50, None])
def test_a_registry_that_cannot_be_opened_is_a_plain_error(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    database = tmp_path / "mlflow.db"
    database.write_bytes(content) if content else database.mkdir()
    with pytest.raises(RegistryUnavailable, match=r"mlflow\.db"):
        Registry(tmp_path)


def test_a_server_in_the_environment_is_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(registry_module, "_client", opened.append)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.invalid")
    Registry(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    Registry(tmp_path)
    assert opened == ["http://tracking.invalid", f"sqlite:///{tmp_path.resolve()}/mlflow.db"]


# ---- Promotion -------------------------------------------------------------------------------


def test_a_promoted_challenger_answers_and_is_the_champion(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    done = let_answer(registry, tmp_path, reason="first model")
    assert done
    assert answers(tmp_path) == done.version == recorded[2].version
    assert set(registry.find(ICANS, CHAMPION).aliases) == {CHAMPION, CHALLENGER}
    (line,) = Ledger(tmp_path).lines()
    assert line == done
    assert (line.act, line.version_before, line.reason) == ("promote", None, "first model")
    assert line.sha256 == recorded[2].sha256
    assert line.who
    assert line.when.endswith("+00:00")


def test_a_second_promotion_remembers_the_first(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    first, second = promoted(registry, tmp_path, recorded[0], recorded[1])
    assert answers(tmp_path) == second
    lines = Ledger(tmp_path).lines()
    assert [(p.version_before, p.version) for p in lines] == [(None, first), (first, second)]
    assert registry.find(ICANS, CHAMPION).version == second
    assert (tmp_path / ICANS / first).is_dir()


def test_a_rollback_lets_the_version_before_answer_again(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    first, second = promoted(registry, tmp_path, recorded[0], recorded[1])
    done = rollback(registry, tmp_path, ICANS, reason="alarm on the ward")
    assert answers(tmp_path) == done.version == first
    assert (done.act, done.version_before) == ("rollback", second)
    assert registry.find(ICANS, CHAMPION).version == first
    assert Ledger(tmp_path).current(ICANS) == first
    assert len(Ledger(tmp_path).lines()) == 3


def test_two_rollbacks_go_two_versions_back(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    """The version that was rolled back first must not come back by itself."""
    first, second, _ = promoted(registry, tmp_path, *recorded)
    back = [rollback(registry, tmp_path, ICANS, reason="alarm").version for _ in range(2)]
    assert back == [second, first]
    with pytest.raises(LookupError, match="before the present one"):
        rollback(registry, tmp_path, ICANS, reason="alarm")
    assert answers(tmp_path) == first


def test_after_a_rollback_one_can_promote_again(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    first, second = promoted(registry, tmp_path, recorded[0], recorded[1])
    rollback(registry, tmp_path, ICANS, reason="alarm")
    promoted(registry, tmp_path, recorded[1])
    assert answers(tmp_path) == second
    assert rollback(registry, tmp_path, ICANS, reason="alarm").version == first


def test_promoting_what_answers_already_is_no_step_to_roll_back_to(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    promoted(registry, tmp_path, recorded[0])
    assert let_answer(registry, tmp_path, recorded[0].version) is None
    with pytest.raises(LookupError):
        rollback(registry, tmp_path, ICANS, reason="alarm")


@pytest.mark.usefixtures("recorded")
def test_nothing_can_be_rolled_back_before_a_promotion(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=ICANS):
        rollback(registry, tmp_path, ICANS, reason="alarm")
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


def test_an_unknown_version_changes_nothing(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    promoted(registry, tmp_path, recorded[0])
    with pytest.raises(NotRegistered):
        let_answer(registry, tmp_path, "0123456789ab")
    assert answers(tmp_path) == recorded[0].version
    assert len(Ledger(tmp_path).lines()) == 1


@pytest.mark.parametrize("tampered", ["model.json", "manifest.json", "model_card.md"])
def test_a_tampered_artefact_in_the_registry_is_refused_and_nothing_changes(
    recorded: list[Registered],
    registry: Registry,
    cohort_run: Run,
    home: Path,
    tmp_path: Path,
    tampered: str,
) -> None:
    promoted(registry, tmp_path, recorded[0])
    champion = registry.find(ICANS, CHAMPION)
    path = stored(home, cohort_run.artefact) / tampered
    before = path.read_bytes()
    path.write_bytes(before.replace(b"0", b"1", 1))
    try:
        with pytest.raises(ArtefactRefused, match=tampered):
            promoted(registry, tmp_path, recorded[1])
    finally:
        path.write_bytes(before)
    assert answers(tmp_path) == recorded[0].version
    assert len(Ledger(tmp_path).lines()) == 1
    assert registry.find(ICANS, CHAMPION) == champion


def stored(home: Path, artefact: Artefact) -> Path:
    """Return where the registry keeps an artefact."""
    manifest = (artefact.folder / "manifest.json").read_bytes()
    found = [
        path.parent
        for path in home.glob("mlflow_artifacts/*/artifacts/artefact/manifest.json")
        if path.read_bytes() == manifest
    ]
    assert len(found) == 1
    return found[0]


# ---- The ledger --------------------------------------------------------------------------------


@pytest.fixture
def ledger(recorded: list[Registered], registry: Registry, tmp_path: Path) -> Ledger:
    promoted(registry, tmp_path, *recorded)
    return Ledger(tmp_path)


def edited(line: bytes, **update: object) -> bytes:
    return json.dumps({**json.loads(line), **update}, sort_keys=True).encode()


def rewrite(ledger: Ledger, lines: list[bytes]) -> None:
    ledger.path.write_bytes(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("field", ["version", "reason", "who", "when"])
def test_an_edited_line_breaks_the_ledger(ledger: Ledger, at: int, field: str) -> None:
    lines = ledger.path.read_bytes().splitlines()
    lines[at] = edited(lines[at], **{field: "somebody else"})
    rewrite(ledger, lines)
    with pytest.raises(LedgerBroken, match=f"line {at + 2} "):
        ledger.lines()


@pytest.mark.parametrize("order", [(1, 2), (0, 2), (1, 0, 2), (0, 0, 1, 2)])
def test_a_missing_or_moved_line_breaks_the_ledger(ledger: Ledger, order: tuple[int, ...]) -> None:
    lines = ledger.path.read_bytes().splitlines()
    rewrite(ledger, [lines[i] for i in order])
    with pytest.raises(LedgerBroken):
        ledger.lines()


@pytest.mark.parametrize("line", [b"", b"{}", b"not json", b'{"when": 1}', b"[1]", b"\xff"])
def test_what_is_no_promotion_breaks_the_ledger(ledger: Ledger, line: bytes) -> None:
    rewrite(ledger, [*ledger.path.read_bytes().splitlines(), line])
    with pytest.raises(LedgerBroken, match="line 4"):
        ledger.lines()


def test_a_broken_ledger_stops_a_promotion_before_anything_changes(
    ledger: Ledger, recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    lines = ledger.path.read_bytes().splitlines()
    rewrite(ledger, [edited(lines[0], reason="better"), *lines[1:]])
    broken = ledger.path.read_bytes()
    for act in (
        lambda: promoted(registry, tmp_path, recorded[0]),
        lambda: rollback(registry, tmp_path, ICANS, reason="alarm"),
    ):
        with pytest.raises(LedgerBroken):
            act()
    assert answers(tmp_path) == recorded[2].version
    assert registry.find(ICANS, CHAMPION).version == recorded[2].version
    assert ledger.path.read_bytes() == broken


def test_the_ledger_only_grows(
    ledger: Ledger, recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    before = ledger.path.read_bytes()
    promoted(registry, tmp_path, recorded[0])
    rollback(registry, tmp_path, ICANS, reason="alarm")
    assert ledger.path.read_bytes().startswith(before)
    assert len(ledger.lines()) == 5
    assert ledger.path.name == LEDGER_FILE


def test_outcomes_share_a_ledger_but_not_a_history(ledger: Ledger) -> None:
    assert ledger.current("severe_crs") is None
    assert ledger.answered("severe_crs") == []
    assert len(ledger.answered(ICANS)) == 3


# ---- Withdrawal ---------------------------------------------------------------------------------


def taken_out(registry: Registry, store: Path, reason: str = "alarm") -> Promotion:
    return withdraw(registry, store, ICANS, reason=reason, signed_by="Dr A")


def test_what_was_promoted_first_can_be_withdrawn_and_brought_back(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    """A rollback, which needs a version before it, could not undo a first promotion."""
    (first,) = promoted(registry, tmp_path, recorded[0])
    with pytest.raises(NotRegistered, match=f"`cart-risk withdraw {ICANS}` takes {first} out"):
        rollback(registry, tmp_path, ICANS, reason="alarm")
    taken_out(registry, tmp_path, "no patient here is alike")
    assert answers(tmp_path) is None
    assert withdrawn(tmp_path) == {ICANS}
    ledger = Ledger(tmp_path)
    assert ledger.current(ICANS) is None
    line = ledger.lines()[-1]
    assert (line.act, line.version_before, line.version) == ("withdraw", first, first)
    assert (line.reason, line.signed_by) == ("no patient here is alike", "Dr A")
    with pytest.raises(NotRegistered):
        registry.find(ICANS, CHAMPION)
    back = rollback(registry, tmp_path, ICANS, reason="they are")
    assert answers(tmp_path) == back.version == ledger.current(ICANS) == first
    assert back.version_before is None
    assert registry.find(ICANS, CHAMPION).version == first


def test_rollbacks_after_a_withdrawal_go_on_from_the_version_that_was_withdrawn(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    first, second = promoted(registry, tmp_path, recorded[0], recorded[1])
    taken_out(registry, tmp_path)
    back = [rollback(registry, tmp_path, ICANS, reason="alarm").version for _ in range(2)]
    assert back == [second, first]


def test_a_rollback_never_brings_back_what_was_withdrawn_before_the_present_version(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    promoted(registry, tmp_path, recorded[0])
    taken_out(registry, tmp_path)
    (second,) = promoted(registry, tmp_path, recorded[1])
    with pytest.raises(NotRegistered, match="before the present one"):
        rollback(registry, tmp_path, ICANS, reason="alarm")
    assert answers(tmp_path) == second


@pytest.mark.parametrize(("reason", "who"), [("", "Dr A"), ("alarm", " ")])
def test_a_withdrawal_needs_a_reason_and_a_name(
    recorded: list[Registered], registry: Registry, tmp_path: Path, reason: str, who: str
) -> None:
    (first,) = promoted(registry, tmp_path, recorded[0])
    with pytest.raises(WithdrawalRefused, match="--reason TEXT --who NAME"):
        withdraw(registry, tmp_path, ICANS, reason=reason, signed_by=who)
    assert answers(tmp_path) == first


def test_what_does_not_answer_cannot_be_withdrawn(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    with pytest.raises(WithdrawalRefused, match=f"no version of {ICANS} was ever promoted"):
        taken_out(registry, tmp_path)
    promoted(registry, tmp_path, recorded[0])
    taken_out(registry, tmp_path, "too many alarms")
    with pytest.raises(WithdrawalRefused, match=r"withdrawn by Dr A at .* \(too many alarms\)"):
        taken_out(registry, tmp_path)
    assert len(Ledger(tmp_path).lines()) == 2


def test_neither_a_spoilt_model_nor_an_empty_registry_keeps_an_outcome_in_service(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    (first,) = promoted(registry, store, recorded[0])
    (store / ICANS / first / "model.json").write_bytes(b"")
    taken_out(Registry(tmp_path / "empty"), store)
    assert load_current(store) == {}
    assert Ledger(store).current(ICANS) is None


def test_a_withdrawal_that_was_cut_off_is_completed(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    (first,) = promoted(registry, tmp_path, recorded[0])
    withdraw_current(tmp_path, ICANS)
    assert taken_out(registry, tmp_path).version == first
    registry.set_alias(recorded[0], CHAMPION)
    with pytest.raises(WithdrawalRefused):
        taken_out(registry, tmp_path)
    with pytest.raises(NotRegistered):
        registry.find(ICANS, CHAMPION)


def test_a_withdrawal_that_was_cut_off_takes_no_version_from_the_comparison(
    recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    first, second = (r.version for r in recorded[:2])
    promoted(registry, tmp_path, recorded[0])
    withdraw_current(tmp_path, ICANS)
    done = let_answer(registry, tmp_path, second)
    assert done
    assert f"No paired comparison with {first}" in done.compared


def test_a_broken_ledger_stops_a_withdrawal_before_anything_changes(
    ledger: Ledger, recorded: list[Registered], registry: Registry, tmp_path: Path
) -> None:
    lines = ledger.path.read_bytes().splitlines()
    rewrite(ledger, [edited(lines[0], reason="better"), *lines[1:]])
    with pytest.raises(LedgerBroken):
        taken_out(registry, tmp_path)
    assert answers(tmp_path) == recorded[2].version
