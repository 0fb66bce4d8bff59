"""Nobody passes without a key or a token of the right scope, nor too often."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from serving.api_keys import KeyFile, KeyRefused, Scope
from serving.doors.guard import Guard, NoAccess
from serving.doors.problem import RequestRefused
from serving.doors.rate_limit import RateLimit
from serving.doors.tokens import IssuerSettings, TokenIssuer


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def issuer(tmp_path: Path) -> TokenIssuer:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    jwk = jwt.get_algorithm_by_name("ES256").to_jwk(key, as_dict=True)
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk]}), "utf-8")
    return TokenIssuer(IssuerSettings("https://id.hospital.example", "cart-risk", str(file)))


def refused(guard: Guard, authorization: str, scope: Scope = Scope.ASSESS) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        guard.let_pass(authorization, scope)
    return caught.value


def test_a_key_passes_where_it_has_the_scope(keys: KeyFile) -> None:
    key = keys.add("ehr", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(100))
    assert guard.let_pass(f"Bearer {key}", Scope.ASSESS).id == key.split("_")[1]
    assert guard.let_pass(f"bearer  {key} ", Scope.ASSESS).id == key.split("_")[1]
    without = refused(guard, f"Bearer {key}", Scope.ADMIN)
    assert without.status == 403
    assert "admin" in without.detail


NO_KEY = ("", "Bearer", "Bearer ", "Basic {key}", "{key}", "Bearer x", "Bearer a.b.c")


@pytest.mark.parametrize("authorization", [*NO_KEY, "Bearer {key}x"])
def test_anything_else_is_asked_for_a_key(keys: KeyFile, authorization: str) -> None:
    key = keys.add("ehr", [Scope.ASSESS])
    refusal = refused(Guard(keys, RateLimit(100)), authorization.format(key=key))
    assert refusal.status == 401
    assert refusal.headers["www-authenticate"].startswith("Bearer")
    assert key not in refusal.detail


def test_a_service_without_a_valid_key_or_issuer_is_refused(keys: KeyFile) -> None:
    with pytest.raises(NoAccess, match="cart-risk keys add"):
        Guard(keys, RateLimit(1))
    keys.add("development", list(Scope), days=1)
    Guard(keys, RateLimit(1))
    with pytest.raises(NoAccess):
        Guard(keys, RateLimit(1), clock=lambda: datetime.now(UTC) + timedelta(days=2))


def test_a_key_added_or_revoked_counts_after_the_next_look(keys: KeyFile) -> None:
    old = keys.add("ehr", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(100))
    new = keys.add("ehr", [Scope.ASSESS])
    keys.revoke(old.split("_")[1])
    assert guard.let_pass(f"Bearer {old}", Scope.ASSESS)
    guard.refresh()
    assert refused(guard, f"Bearer {old}").status == 401
    assert guard.let_pass(f"Bearer {new}", Scope.ASSESS)


def test_a_spoilt_key_file_changes_nothing(keys: KeyFile) -> None:
    key = keys.add("ehr", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(100))
    keys.path.write_text("{", "utf-8")
    with pytest.raises(KeyRefused):
        guard.refresh()
    assert guard.let_pass(f"Bearer {key}", Scope.ASSESS)


def test_a_key_file_that_could_not_be_read_is_tried_until_it_can(
    keys: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the file changes when the reason goes away: a revoked key went on opening."""
    key = keys.add("ehr", [Scope.ASSESS])
    keys.add("another", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(100))
    keys.revoke(key.split("_")[1])

    def refuse(_: KeyFile) -> None:
        raise KeyRefused("keys.json is no key file (PermissionError)")

    with monkeypatch.context() as unreadable:
        unreadable.setattr(KeyFile, "listed", refuse)
        for _ in range(2):
            with pytest.raises(KeyRefused):
                guard.refresh()
            assert "PermissionError" in str(guard.refusal)
    guard.refresh()
    assert guard.refusal is None
    assert refused(guard, f"Bearer {key}").status == 401


def test_a_key_file_that_went_is_told_also_where_tokens_pass(
    keys: KeyFile, issuer: TokenIssuer
) -> None:
    assert Guard(keys, RateLimit(100), issuer).refusal is None
    key = keys.add("ehr", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(100), issuer)
    keys.path.unlink()
    guard.refresh()
    assert refused(guard, f"Bearer {key}").status == 401
    assert "keys.json is gone" in str(guard.refusal)


def test_a_key_file_that_was_copied_with_its_time_counts(keys: KeyFile) -> None:
    new = keys.add("new", [Scope.ASSESS])
    with_new = keys.path.read_bytes()
    keys.revoke(new.split("_")[1])
    keys.add("old", [Scope.ASSESS])
    guard = Guard(keys, RateLimit(100))
    copied = keys.path.stat()
    keys.path.write_bytes(with_new)
    os.utime(keys.path, ns=(copied.st_atime_ns, copied.st_mtime_ns))
    guard.refresh()
    assert guard.let_pass(f"Bearer {new}", Scope.ASSESS)


@pytest.mark.parametrize("per_second", [0.1, 0.4, 0.5, 0.7])
def test_a_rate_below_one_lets_one_pass_and_the_next_when_it_was_told(per_second: float) -> None:
    now = [0.0]
    limit = RateLimit(per_second, clock=lambda: now[0])
    limit.pass_one("a")
    with pytest.raises(RequestRefused) as caught:
        limit.pass_one("a")
    now[0] += float(caught.value.headers["retry-after"])
    limit.pass_one("a")


def test_a_bucket_allows_a_burst_and_then_the_rate() -> None:
    now = [0.0]
    limit = RateLimit(2, clock=lambda: now[0])
    for _ in range(4):
        limit.pass_one("a")
    with pytest.raises(RequestRefused) as caught:
        limit.pass_one("a")
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "1"})
    limit.pass_one("b")
    now[0] = 0.5
    limit.pass_one("a")
    with pytest.raises(RequestRefused):
        limit.pass_one("a")
    now[0] = 1000.0
    for _ in range(4):
        limit.pass_one("a")
    with pytest.raises(RequestRefused):
        limit.pass_one("a")
