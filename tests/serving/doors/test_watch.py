"""A promotion while requests run: none fails, none mixes models; a corrupt one changes nothing."""

import asyncio
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from data_schemas.model_manifest import MANIFEST_FILE
from serving.api_keys import KeyFile, Scope
from serving.assessment_log.entries import LogEntry
from serving.assessment_log.key_watch import GONE
from serving.assessment_log.log import AssessmentLog
from serving.doors.catalogue import Catalogue
from serving.doors.guard import Guard
from serving.doors.history import History
from serving.doors.metrics import exposition
from serving.doors.problem import RequestRefused
from serving.doors.rate_limit import RateLimit
from serving.doors.tokens import IssuerRefused
from serving.doors.watch import Watch
from serving.model.artefact import MODEL_FILE, SELF_TEST_FILE, Artefact, canonical_json, sha256
from serving.model.store import CURRENT_FILE, make_current, save_artefact, withdraw_current
from serving.promotion_files import HEAD_FILE, LEDGER_FILE
from serving.rest import RestApplication
from serving.ward import Ward
from tests.conftest import Body, Store
from tests.serving.at_the_door import client_of, open_log


@pytest.fixture
def store(evidence_store: Store, tmp_path: Path) -> Path:
    root = tmp_path / "store"
    shutil.copytree(evidence_store.root, root)
    return root


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    keys = KeyFile(tmp_path / "keys.json")
    keys.add("test", list(Scope))
    return Guard(keys, RateLimit(1e6))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AssessmentLog]:
    log = open_log(tmp_path)
    yield log
    log.close()


def hashes(ward: Ward) -> set[str]:
    return {artefact.sha256 for artefact in ward.artefacts.values()}


def test_nothing_is_loaded_while_nothing_changes(
    store: Path, guard: Guard, log: AssessmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = Ward.open(store)
    watch = Watch(ward, store, guard, log)
    monkeypatch.setattr(Ward, "reload", lambda *_: pytest.fail("it was loaded again"))
    asyncio.run(watch.look())


def test_promotions_under_load_fail_no_request_and_mix_no_models(
    store: Path, tmp_path: Path, patient: Body, evidence_store: Store, fitted_store: Store
) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    headers = {"authorization": f"Bearer {keys.add('load', [Scope.ASSESS])}"}
    ward = Ward.open(store)
    guard = Guard(keys, RateLimit(1e6))
    log = open_log(tmp_path)
    application = RestApplication(ward, guard, log, store, product_what_if=False)
    watch = Watch(ward, store, guard, log)
    seen: list[tuple[str, ...]] = []
    promoting = True

    async def ask(client: httpx.AsyncClient) -> None:
        while promoting:
            response = await client.post("/v1/assess", json=patient)
            assert response.status_code == 200
            outcomes = response.json()["outcomes"]
            assert [one["outcome"] for one in outcomes] == ["severe_crs", "severe_icans"]
            seen.append(tuple(one["model"]["sha256"] for one in outcomes))

    async def promote() -> None:
        nonlocal promoting
        try:
            for turn in range(6):
                for artefact in (fitted_store, evidence_store)[turn % 2].artefacts.values():
                    await asyncio.to_thread(make_current, store, artefact)
                await watch.look()
                await asyncio.sleep(0.05)
        finally:
            promoting = False

    async def load() -> None:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://t", headers=headers
        ) as client:
            await asyncio.gather(promote(), *(ask(client) for _ in range(16)))
        await application.stop()

    asyncio.run(load())
    pairs = {
        tuple(store.artefacts[name].sha256 for name in ("severe_crs", "severe_icans"))
        for store in (evidence_store, fitted_store)
    }
    assert set(seen) == pairs
    assert len(seen) > 50


@pytest.mark.parametrize("spoilt", [MODEL_FILE, CURRENT_FILE])
def test_a_corrupt_update_leaves_the_old_model_serving_and_says_so(
    store: Path,
    guard: Guard,
    log: AssessmentLog,
    fitted_store: Store,
    evidence_store: Store,
    spoilt: str,
) -> None:
    ward = Ward.open(store)
    before = hashes(ward)
    watch = Watch(ward, store, guard, log)
    artefact = fitted_store.artefacts["severe_crs"]
    make_current(store, artefact)
    home = store / "severe_crs"
    path = home / spoilt if spoilt == CURRENT_FILE else home / artefact.version / spoilt
    path.write_bytes(path.read_bytes()[:-3])
    asyncio.run(watch.look())
    assert hashes(ward) == before
    with client_of(ward, store=store) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert spoilt in ready.json()["refused_update"]
        assert set(ready.json()["models"].values()) == before
        assert b"cart_risk_model_update_refused 1.0" in exposition()
    make_current(store, evidence_store.artefacts["severe_crs"])
    asyncio.run(watch.look())
    assert ward.refused_update is None
    assert b"cart_risk_model_update_refused 0.0" in exposition()


UNUSABLE = {
    "a text for a number": (MODEL_FILE, {"misfit_sd": "x"}),
    "half a covariance": (MODEL_FILE, {"posterior": {"mean": [0.0], "covariance": [[1.0]]}}),
    "no cell": (MODEL_FILE, {"cells": []}),
    "a source that nobody knows": ("cites cohorts", {"cells": "unknown"}),
    "no JSON": (MODEL_FILE, b"{"),
    "deep": (MODEL_FILE, b"[" * 100_000),
    "no self-test": (SELF_TEST_FILE, b"{}"),
    "no prior": ("prior.json", b"prior"),
    "no card": ("model_card.md", b"\xff"),
}


def put(store: Path, artefact: Artefact, name: str, change: Any) -> None:
    """Let the pointer name a version with another file and hashes that agree with it."""
    files = {each: content for each, content in artefact.files.items() if each != MANIFEST_FILE}
    if name == "cites cohorts":
        name, cells = MODEL_FILE, json.loads(files[MODEL_FILE])["cells"]
        change = {"cells": [cells[0] | {"sources": ["nobody_2020"]}, *cells[1:]]}
    content = json.loads(files[name]) | change if isinstance(change, dict) else change
    files[name] = content if isinstance(content, bytes) else canonical_json(content)
    folder = save_artefact(store, artefact.model, artefact.manifest, files)
    digest = sha256((folder / MANIFEST_FILE).read_bytes())
    pointer = canonical_json({"version": folder.name, "sha256": digest})
    (folder.parent / CURRENT_FILE).write_bytes(pointer)


@pytest.mark.parametrize(("said", "change"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_update_is_refused_aloud_and_by_its_own_reason(
    store: Path,
    guard: Guard,
    log: AssessmentLog,
    evidence_store: Store,
    caplog: pytest.LogCaptureFixture,
    said: str,
    change: Any,
) -> None:
    ward = Ward.open(store)
    before = hashes(ward)
    watch = Watch(ward, store, guard, log)
    ward.refused_update = "a former reason"
    put(store, evidence_store.artefacts["severe_crs"], said, change)
    asyncio.run(watch.look())
    assert said in str(ward.refused_update)
    assert hashes(ward) == before
    assert b"cart_risk_model_update_refused 1.0" in exposition()
    assert [record.message for record in caplog.records] == ["update refused"]
    at_start = Ward.open(store)
    assert not at_start.ready
    assert said in at_start.refusal


def test_files_that_arrive_after_their_pointer_are_taken_once_they_are_complete(
    store: Path,
    guard: Guard,
    log: AssessmentLog,
    fitted_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ward = Ward.open(store)
    before = hashes(ward)
    watch = Watch(ward, store, guard, log)
    artefact = fitted_store.artefacts["severe_crs"]
    make_current(store, artefact)
    arriving = store / "severe_crs" / artefact.version
    complete = arriving.rename(tmp_path / "complete")
    reload, loads = Ward.reload, []
    monkeypatch.setattr(Ward, "reload", lambda *given: loads.append(given) or reload(*given))

    def looked(times: int = 1) -> int:
        loads.clear()
        for _ in range(times):
            asyncio.run(watch.look())
        return len(loads)

    assert looked(3) == 1
    assert ward.refused_update is not None
    arriving.mkdir()
    for number, file in enumerate(sorted(complete.iterdir()), 1):
        assert hashes(ward) == before
        shutil.copy2(file, arriving / file.name)
        assert looked(3) == 1, number
    assert ward.artefacts["severe_crs"].sha256 == artefact.sha256
    assert ward.refused_update is None
    assert b"cart_risk_model_update_refused 0.0" in exposition()
    (arriving / "late").touch()
    assert looked(3) == 0


def test_an_update_that_fails_as_nobody_foresaw_is_told_everywhere_an_operator_looks(
    store: Path,
    guard: Guard,
    log: AssessmentLog,
    evidence_store: Store,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(_store: Path) -> None:
        raise ZeroDivisionError("a value of a patient")

    ward = Ward.open(store)
    before = hashes(ward)
    watch = Watch(ward, store, guard, log)
    (store / "severe_crs" / CURRENT_FILE).write_bytes(b"another pointer")
    monkeypatch.setattr(ward, "reload", failing)
    for _ in range(3):
        asyncio.run(watch.look())
    assert ward.refused_update == "what the store names could not be loaded (ZeroDivisionError)"
    assert hashes(ward) == before
    assert b"cart_risk_model_update_refused 1.0" in exposition()
    assert [record.message for record in caplog.records] == ["update refused"]
    monkeypatch.undo()
    make_current(store, evidence_store.artefacts["severe_crs"])
    asyncio.run(watch.look())
    assert ward.refused_update is None


def test_a_model_that_was_refused_at_start_is_taken_once_it_is_whole(
    store: Path, guard: Guard, log: AssessmentLog, evidence_store: Store
) -> None:
    artefact = evidence_store.artefacts["severe_crs"]
    spoilt = store / "severe_crs" / artefact.version / MODEL_FILE
    spoilt.write_bytes(b"half a mod")
    ward = Ward.open(store)
    watch = Watch(ward, store, guard, log)
    assert not ward.ready
    spoilt.write_bytes(artefact.files[MODEL_FILE])
    asyncio.run(watch.look())
    assert ward.ready


def test_a_store_that_loses_a_model_is_not_followed(
    store: Path, guard: Guard, log: AssessmentLog
) -> None:
    ward = Ward.open(store)
    watch = Watch(ward, store, guard, log)
    (store / "severe_icans" / CURRENT_FILE).unlink()
    asyncio.run(watch.look())
    assert set(ward.artefacts) == {"severe_crs", "severe_icans"}
    assert "severe_icans" in str(ward.refused_update)


def test_an_outcome_that_is_withdrawn_is_answered_no_more(
    store: Path, guard: Guard, log: AssessmentLog, patient: Body, evidence_store: Store
) -> None:
    """What is left answers; without any there is no answer, and the way back is told."""
    ward = Ward.open(store)
    watch = Watch(ward, store, guard, log)
    with client_of(ward) as client:
        withdraw_current(store, "severe_crs")
        asyncio.run(watch.look())
        assert ward.refused_update is None
        (left,) = client.post("/v1/assess", json=patient).json()["outcomes"]
        assert left["outcome"] == "severe_icans"
        assert list(client.get("/readyz").json()["models"]) == ["severe_icans"]
        withdraw_current(store, "severe_icans")
        asyncio.run(watch.look())
        for response in (client.post("/v1/assess", json=patient), client.get("/readyz")):
            assert response.status_code == 503
            assert "severe_crs and severe_icans withdrawn" in response.json()["detail"]
        make_current(store, evidence_store.artefacts["severe_crs"])
        asyncio.run(watch.look())
        (back,) = client.post("/v1/assess", json=patient).json()["outcomes"]
        assert back["outcome"] == "severe_crs"
    shown = {
        line.partition('outcome="')[2].partition('"')[0]
        for line in exposition().decode().splitlines()
        if line.startswith("cart_risk_model_in_service{") and line.endswith(" 1.0")
    }
    assert shown == {"severe_crs"}


def test_a_service_that_starts_leaves_out_what_was_withdrawn(store: Path) -> None:
    withdraw_current(store, "severe_crs")
    assert set(Ward.open(store).artefacts) == {"severe_icans"}
    withdraw_current(store, "severe_icans")
    closed = Ward.open(store)
    assert not closed.ready
    assert "`cart-risk rollback` or `promote`" in closed.refusal


def test_a_withdrawal_covers_no_model_that_is_lost_beside_it(
    store: Path, guard: Guard, log: AssessmentLog
) -> None:
    ward = Ward.open(store)
    watch = Watch(ward, store, guard, log)
    withdraw_current(store, "severe_crs")
    (store / "severe_icans" / CURRENT_FILE).unlink()
    asyncio.run(watch.look())
    assert set(ward.artefacts) == {"severe_crs", "severe_icans"}
    assert ward.refused_update == "the store names no model for severe_icans any more"


def test_a_closed_ward_opens_once_there_is_a_model(
    store: Path, guard: Guard, log: AssessmentLog, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ward = Ward.open(empty)
    watch = Watch(ward, empty, guard, log)
    shutil.copytree(store, empty, dirs_exist_ok=True)
    asyncio.run(watch.look())
    assert ward.ready


def test_the_metrics_name_the_model_that_answers(
    store: Path, guard: Guard, log: AssessmentLog, fitted_store: Store, evidence_store: Store
) -> None:
    watch = Watch(Ward.open(store), store, guard, log)
    make_current(store, fitted_store.artefacts["severe_crs"])
    asyncio.run(watch.look())
    lines = exposition().decode().splitlines()
    shown = {
        line.partition('sha256="')[2][:64]: line[-3:]
        for line in lines
        if line.startswith("cart_risk_model_in_service{")
    }
    assert shown[fitted_store.artefacts["severe_crs"].sha256] == "1.0"
    assert shown[evidence_store.artefacts["severe_crs"].sha256] == "0.0"


def test_the_history_is_read_and_a_broken_chain_is_told(ward: Ward, tmp_path: Path) -> None:
    first = json.dumps({"act": "promote", "version": "a", "previous": "0" * 64}).encode()
    chained = {"act": "rollback", "version": "b", "previous": hashlib.sha256(first).hexdigest()}
    ledger = tmp_path / "promotions.jsonl"
    with client_of(ward, store=tmp_path) as client:
        assert client.get("/v1/model/history").json() == {"intact": True, "history": []}
        ledger.write_bytes(first + b"\n" + json.dumps(chained).encode() + b"\n")
        read = client.get("/v1/model/history").json()
        assert read["intact"]
        assert [one["act"] for one in read["history"]] == ["promote", "rollback"]
        head, last = tmp_path / "promotions.head", ledger.read_bytes().splitlines()[-1]
        for written, intact in ((hashlib.sha256(last).hexdigest(), True), ("0" * 64, False)):
            head.write_text(written + "\n", "utf-8")
            assert client.get("/v1/model/history").json()["intact"] == intact
        head.unlink()
        ledger.write_bytes(first.replace(b"promote", b"demoted") + b"\n" + ledger.read_bytes())
        assert not client.get("/v1/model/history").json()["intact"]
        ledger.write_bytes(b"{\n")
        assert client.get("/v1/model/history").json() == {"intact": False, "history": []}


def test_a_history_read_while_a_line_is_written_is_intact(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head is written before the line and after it, and reading takes no lock."""
    head, ledger = tmp_path / HEAD_FILE, tmp_path / LEDGER_FILE
    line = b'{"act": "promote", "previous": "' + b"0" * 64 + b'"}\n'
    last = hashlib.sha256(line.rstrip()).hexdigest()
    ledger.write_bytes(line)
    head.write_text(f"{'0' * 64}\n{last}\n", "utf-8")
    read = Path.read_bytes

    def meanwhile(self: Path) -> bytes:
        content = read(self)
        if self == ledger:
            head.write_text("1" * 64 + "\n", "utf-8")
        return content

    monkeypatch.setattr(Path, "read_bytes", meanwhile)
    response = asyncio.run(History(tmp_path).history(None))
    assert json.loads(response.body)["intact"]


@pytest.mark.parametrize(
    "pointer",
    [
        b'{"version": "a\\u0000b", "sha256": "0"}',
        b'{"version": "\\ud800", "sha256": "0"}',
        b"[" * 100_000,
    ],
)
def test_whatever_a_pointer_holds_is_refused_and_said(
    store: Path, guard: Guard, log: AssessmentLog, pointer: bytes
) -> None:
    ward = Ward.open(store)
    before = hashes(ward)
    watch = Watch(ward, store, guard, log)
    (store / "severe_crs" / CURRENT_FILE).write_bytes(pointer)
    asyncio.run(watch.look())
    assert hashes(ward) == before
    assert ward.refused_update is not None


def test_keys_that_cannot_be_read_are_told_everywhere_an_operator_looks(
    store: Path, tmp_path: Path, log: AssessmentLog, caplog: pytest.LogCaptureFixture
) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    keys.add("ehr", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(1e6))
    ward = Ward.open(store)
    watch = Watch(ward, store, guard, log)
    catalogue = Catalogue(ward, log, guard)

    def ready() -> object:
        return json.loads(asyncio.run(catalogue.readyz(None)).body)["refused_keys"]

    assert ready() is None
    whole = keys.path.read_bytes()
    keys.path.write_bytes(b"{")
    for _ in range(3):
        asyncio.run(watch.look())
    assert "keys.json is no key file" in str(ready())
    assert b"cart_risk_keys_refused 1.0" in exposition()
    assert [record.message for record in caplog.records] == ["access not renewed"]
    keys.path.write_bytes(whole)
    asyncio.run(watch.look())
    assert ready() is None
    assert b"cart_risk_keys_refused 0.0" in exposition()


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("the file", "keys.json is gone"),
        ("the last key", "no valid key in keys.json"),
        ("its time", "no valid key in keys.json"),
    ],
)
def test_that_nobody_may_pass_any_more_is_told_everywhere_an_operator_looks(
    store: Path,
    tmp_path: Path,
    log: AssessmentLog,
    caplog: pytest.LogCaptureFixture,
    lost: str,
    said: str,
) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    key_id = keys.add("ehr", [Scope.ASSESS], days=1).split("_")[1]
    now = [datetime.now(UTC)]
    guard = Guard(keys, RateLimit(1e6), clock=lambda: now[0])
    ward = Ward.open(store)
    watch = Watch(ward, store, guard, log)
    catalogue = Catalogue(ward, log, guard)

    def refused_keys() -> object:
        return json.loads(asyncio.run(catalogue.readyz(None)).body)["refused_keys"]

    assert refused_keys() is None
    if lost == "the file":
        keys.path.unlink()
    elif lost == "the last key":
        keys.revoke(key_id)
    else:
        now[0] += timedelta(days=2)
    for _ in range(3):
        asyncio.run(watch.look())
    assert said in str(refused_keys())
    assert b"cart_risk_keys_refused 1.0" in exposition()
    assert [record.message for record in caplog.records] == ["access not renewed"]
    keys.add("ehr", [Scope.ASSESS])
    asyncio.run(watch.look())
    assert refused_keys() is None
    assert b"cart_risk_keys_refused 0.0" in exposition()


def test_a_look_that_fails_does_not_end_the_watch(
    store: Path, tmp_path: Path, log: AssessmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is revoked afterwards must still be revoked."""
    monkeypatch.setattr("serving.doors.watch.EVERY_SECONDS", 0.01)
    keys = KeyFile(tmp_path / "keys.json")
    revoked = keys.add("revoked", [Scope.ASSESS])
    keys.add("other", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(1e6))
    watch = Watch(Ward.open(store), store, guard, log)

    async def fail() -> None:
        raise ZeroDivisionError

    async def use() -> None:
        monkeypatch.setattr(watch, "look_at_store", fail)
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(0.05)
        guard.let_pass(f"Bearer {revoked}", Scope.ASSESS)
        keys.revoke(revoked.split("_")[1])
        await asyncio.sleep(0.1)
        with pytest.raises(RequestRefused):
            guard.let_pass(f"Bearer {revoked}", Scope.ASSESS)
        assert not watching.done()
        watching.cancel()

    asyncio.run(use())


def test_how_long_answers_wait_for_their_rows_is_shown_before_they_have_them(
    store: Path, guard: Guard, log: AssessmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.doors.watch.EVERY_SECONDS", 0.01)
    watch = Watch(Ward.open(store), store, guard, log)

    async def shown() -> bytes:
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(0.1)
        watching.cancel()
        return exposition()

    assert b"cart_risk_log_lag_seconds 0.0\n" in asyncio.run(shown())
    monkeypatch.setattr(AssessmentLog, "lag", 3.5)
    assert b"cart_risk_log_lag_seconds 3.5\n" in asyncio.run(shown())


def test_what_the_log_did_is_counted_once(store: Path, guard: Guard, log: AssessmentLog) -> None:
    names = ("rows", "transactions", "opened")

    def counted() -> list[float]:
        lines = exposition().decode().splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines)
        return [float(values[f"cart_risk_log_{name}_total"]) for name in names]

    watch = Watch(Ward.open(store), store, guard, log)
    before = counted()
    asyncio.run(log.append_all([LogEntry(answer=b"{}") for _ in range(3)]))
    for _ in range(2):
        asyncio.run(watch.look_at_counts())
        assert [now - then for now, then in zip(counted(), before, strict=True)] == [3, 1, 1]


class Issuer:
    """Counts how often its keys are read; one key is new."""

    def __init__(self, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.now = 0.0
        self.answers = threading.Event()
        self.answers.set()
        self.unknown = False
        monkeypatch.setattr(Guard, "met_unknown_key", property(lambda _: self.unknown))
        monkeypatch.setattr(guard, "refresh_issuer", self.refresh)
        monkeypatch.setattr("serving.doors.watch.monotonic", lambda: self.now)

    def refresh(self) -> None:
        self.asked += 1
        self.answers.wait(5)

    async def asked_after(self, watch: Watch, seconds: float) -> int:
        self.now += seconds
        await watch.look()
        await asyncio.sleep(0.05)
        return self.asked


def test_an_unknown_key_of_the_issuer_is_looked_for_at_most_once_a_minute(
    store: Path, guard: Guard, log: AssessmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer(guard, monkeypatch)
    watch = Watch(Ward.open(store), store, guard, log)

    async def use() -> list[int]:
        hourly = [await issuer.asked_after(watch, seconds) for seconds in (3599, 1, 3599, 1)]
        issuer.unknown = True
        return hourly + [await issuer.asked_after(watch, seconds) for seconds in (59, 1, 1, 58, 1)]

    assert asyncio.run(use()) == [0, 1, 1, 2, 2, 3, 3, 3, 4]


def test_an_issuer_that_does_not_answer_holds_up_no_look_and_is_not_asked_twice_at_a_time(
    store: Path, guard: Guard, log: AssessmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer(guard, monkeypatch)
    issuer.unknown = True
    watch = Watch(Ward.open(store), store, guard, log)
    issuer.answers.clear()

    async def use() -> list[int]:
        try:
            async with asyncio.timeout(4):
                return [await issuer.asked_after(watch, 60) for _ in range(3)]
        finally:
            issuer.answers.set()

    assert asyncio.run(use()) == [1, 1, 1]


def test_what_goes_wrong_at_the_issuer_is_said(
    store: Path,
    guard: Guard,
    log: AssessmentLog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    issuer = Issuer(guard, monkeypatch)
    watch = Watch(Ward.open(store), store, guard, log)

    def fail() -> None:
        issuer.asked += 1
        raise (IssuerRefused("keys cannot be read") if issuer.asked == 1 else ZeroDivisionError)

    monkeypatch.setattr(guard, "refresh_issuer", fail)

    async def use() -> None:
        for _ in range(3):
            await issuer.asked_after(watch, 3600)

    asyncio.run(use())
    assert issuer.asked == 2
    assert [record.message for record in caplog.records] == ["access not renewed", "a look failed"]


def test_a_worker_whose_site_key_went_is_not_ready(
    store: Path, guard: Guard, log: AssessmentLog, tmp_path: Path
) -> None:
    catalogue = Catalogue(Ward.open(store), log, guard)
    (key_file,) = tmp_path.glob("*.key")
    assert asyncio.run(catalogue.readyz(None)).status_code == 200
    key_file.write_text("0" * 64, "ascii")
    with pytest.raises(RequestRefused) as refused:
        asyncio.run(catalogue.readyz(None))
    assert (refused.value.status, refused.value.detail) == (503, GONE)
