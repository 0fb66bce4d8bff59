"""API keys: random, kept as hashes, refused once expired or revoked."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.api_keys import ApiKey, KeyFile, KeyRefused, KeyRing, Scope

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "deep" / "keys.json")


def owner(file: KeyFile, presented: str, now: datetime | None = None) -> ApiKey | None:
    return KeyRing(file.listed()).owner(presented, now or datetime.now(UTC))


def test_a_key_opens_what_it_was_made_for(file: KeyFile) -> None:
    key = file.add("ehr", [Scope.ASSESS, Scope.ASSESS])
    found = owner(file, key)
    assert found is not None
    assert (found.label, found.scopes) == ("ehr", (Scope.ASSESS,))


def test_a_key_has_256_random_bits_and_no_two_are_alike(file: KeyFile) -> None:
    keys = [file.add("one", [Scope.ADMIN]) for _ in range(20)]
    secrets = {key.split("_", 2)[2] for key in keys}
    assert len(secrets) == 20
    assert {len(secret) for secret in secrets} == {43}  # 32 bytes in base64


def test_the_file_holds_no_key_and_is_closed_to_others(file: KeyFile) -> None:
    secret = file.add("ehr", [Scope.ASSESS]).split("_", 2)[2]
    assert secret not in file.path.read_text("utf-8")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["keys.json"]


def test_several_keys_are_valid_until_one_is_revoked(file: KeyFile) -> None:
    old, new = file.add("ehr", [Scope.ASSESS]), file.add("ehr", [Scope.ASSESS])
    assert owner(file, old)
    assert owner(file, new)
    assert file.revoke(old.split("_")[1]).label == "ehr"
    assert owner(file, old) is None
    assert owner(file, new)


def test_keys_changed_at_once_are_all_kept_and_none_that_was_revoked_comes_back(
    file: KeyFile,
) -> None:
    old = [file.add("old", [Scope.ASSESS]).split("_")[1] for _ in range(10)]
    with ThreadPoolExecutor(4) as several:
        revoked = several.map(file.revoke, old)
        added = several.map(lambda _: file.add("new", [Scope.ASSESS]), range(10))
    assert {key.id for key in revoked} == set(old)
    assert {key.id for key in file.listed()} == {key.split("_")[1] for key in added}


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_key_that_would_open_nothing_is_not_made(file: KeyFile, days: float) -> None:
    with pytest.raises(KeyRefused, match="more than 0 days"):
        file.add("ehr", [Scope.ASSESS], days)
    assert file.listed() == []


def test_an_expired_key_opens_nothing(file: KeyFile) -> None:
    key = file.add("development", list(Scope), days=1)
    now = datetime.now(UTC)
    assert owner(file, key, now + timedelta(hours=23))
    assert owner(file, key, now + timedelta(hours=25)) is None
    ring = KeyRing(file.listed())
    assert ring.opens_anything(now)
    assert not ring.opens_anything(now + timedelta(days=2))
    file.add("ehr", [Scope.ASSESS])
    assert KeyRing(file.listed()).opens_anything(now + timedelta(days=2))


@pytest.mark.parametrize("presented", ["", "cr", "cr__", "cr_{id}_", "cr_{id}_x", "cr_{id}_\udc80"])
def test_anything_else_opens_nothing(file: KeyFile, presented: str) -> None:
    key_id = file.add("ehr", [Scope.ASSESS]).split("_")[1]
    assert owner(file, presented.format(id=key_id)) is None


def test_an_unknown_id_is_not_revoked(file: KeyFile) -> None:
    with pytest.raises(KeyRefused, match="no key has this id"):
        file.revoke("feedbeef")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": [{"id": "a"}]}', '{"keys": 3}'])
def test_a_file_that_holds_no_keys_is_refused_without_repeating_it(
    file: KeyFile, content: str
) -> None:
    file.path.parent.mkdir()
    file.path.write_text(content, "utf-8")
    with pytest.raises(KeyRefused, match="is no key file"):
        file.listed()


def test_what_is_written_is_read_back(file: KeyFile) -> None:
    file.add("ehr", [Scope.ASSESS, Scope.OUTCOMES], days=30)
    (key,) = file.listed()
    assert key.expires is not None
    assert key.expires - key.created == timedelta(days=30)
    assert set(json.loads(file.path.read_text("utf-8"))["keys"][0]) == {
        "id", "label", "scopes", "sha256", "created", "expires",
    }  # fmt: skip


def test_the_environment_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CART_RISK_KEYS", raising=False)
    assert KeyFile.beside(tmp_path / "store").path == tmp_path / "keys.json"
    monkeypatch.setenv("CART_RISK_KEYS", "/etc/keys")
    assert KeyFile.beside(tmp_path).path == Path("/etc/keys")
