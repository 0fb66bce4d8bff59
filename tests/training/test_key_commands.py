"""`cart-risk keys`: made and shown once, listed without the key, revoked by id."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving.api_keys import KeyFile, KeyRing, Scope
from training import key_commands
from training.key_commands import development_key, keys_app

RUN = CliRunner()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    monkeypatch.setenv("CART_RISK_KEYS", str(tmp_path / "keys.json"))
    return KeyFile(tmp_path / "keys.json")


def test_a_key_is_made_listed_and_revoked(file: KeyFile) -> None:
    added = RUN.invoke(keys_app, ["add", "ehr", "--scope", "assess", "--scope", "outcomes"])
    key = added.output.strip()
    key_id = key.split("_")[1]
    (kept,) = file.listed()
    assert (kept.id, kept.scopes, kept.expires) == (key_id, (Scope.ASSESS, Scope.OUTCOMES), None)
    listed = RUN.invoke(keys_app, ["list"]).output
    assert key_id in listed
    assert key.split("_", 2)[2] not in listed
    assert "revoked: ehr" in RUN.invoke(keys_app, ["revoke", key_id]).output
    assert file.listed() == []


def test_an_unknown_id_is_refused_in_words(file: KeyFile) -> None:
    assert RUN.invoke(keys_app, ["revoke", "feedbeef"]).exit_code == 1


def test_there_is_one_development_key_and_it_lasts_a_day(file: KeyFile) -> None:
    kept = file.add("ehr", [Scope.ASSESS])
    (first, first_ends), (second, second_ends) = development_key(), development_key()
    assert (first_ends, second_ends) == (False, True)
    keys = {key.label: key for key in file.listed()}
    assert set(keys) == {"ehr", key_commands.DEVELOPMENT}
    development = keys[key_commands.DEVELOPMENT]
    assert development.expires is not None
    assert (development.expires - development.created).days == 1
    ring = KeyRing(file.listed())
    assert [ring.owner(key, development.created) is None for key in (kept, first, second)] == [
        False, True, False,
    ]  # fmt: skip
