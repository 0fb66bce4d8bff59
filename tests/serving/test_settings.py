"""The environment decides one thing: where the models in service lie."""

from pathlib import Path

import pytest

from serving.settings import DEFAULT_STORE, Settings


def test_the_store_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CART_RISK_MODELS", "/somewhere/else")
    assert Settings.from_environment() == Settings(store=Path("/somewhere/else"))


def test_an_unset_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CART_RISK_MODELS", raising=False)
    assert Settings.from_environment().store == DEFAULT_STORE


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CART_RISK_MODELS", "")
    assert Settings.from_environment().store == DEFAULT_STORE
