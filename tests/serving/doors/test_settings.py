"""What the environment decides about the doors."""

from pathlib import Path

import pytest

from serving.api_keys import KeyFile, Scope
from serving.doors.guard import NoAccess
from serving.doors.settings import DoorSettings, SettingRefused


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKERS", "REQUESTS_PER_SECOND", "PRODUCT_WHAT_IF", "OTLP", "KEYS"):
        monkeypatch.delenv(f"CART_RISK_{name}", raising=False)
    for name in ("ISSUER", "AUDIENCE", "JWKS", "CLAIM"):
        monkeypatch.delenv(f"CART_RISK_OIDC_{name}", raising=False)


def test_by_default_nothing_is_traced_and_no_product_compared() -> None:
    settings = DoorSettings.from_environment()
    assert settings.workers == 1
    assert settings.otlp_endpoint is None
    assert not settings.product_what_if


def test_what_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CART_RISK_WORKERS", "4")
    monkeypatch.setenv("CART_RISK_REQUESTS_PER_SECOND", "0.5")
    monkeypatch.setenv("CART_RISK_PRODUCT_WHAT_IF", "on")
    monkeypatch.setenv("CART_RISK_OTLP", "http://collector:4318/v1/traces")
    settings = DoorSettings.from_environment()
    assert (settings.workers, settings.requests_per_second) == (4, 0.5)
    assert settings.product_what_if
    assert settings.otlp_endpoint == "http://collector:4318/v1/traces"


@pytest.mark.parametrize("name", ["CART_RISK_WORKERS", "CART_RISK_REQUESTS_PER_SECOND"])
@pytest.mark.parametrize("given", ["0", "-1", "many", "nan", "inf"])
def test_a_setting_that_cannot_be_meant_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    monkeypatch.setenv(name, given)
    with pytest.raises(SettingRefused, match=name):
        DoorSettings.from_environment()


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("CART_RISK_WORKERS", "2.5", "a whole number"),
        ("CART_RISK_PRODUCT_WHAT_IF", "true", "on or off"),
        ("CART_RISK_OTLP", "collector:4318", "begin with http:// or https://"),
    ],
)
def test_what_would_be_taken_for_something_else_is_refused_with_what_is_accepted(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, said: str
) -> None:
    monkeypatch.setenv(name, given)
    with pytest.raises(SettingRefused, match=f"{name} must (be )?{said}"):
        DoorSettings.from_environment()


def test_a_guard_needs_a_key(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with pytest.raises(NoAccess):
        DoorSettings.from_environment().guard(store)
    KeyFile.beside(store).add("ehr", [Scope.ASSESS])
    assert DoorSettings.from_environment().guard(store)
