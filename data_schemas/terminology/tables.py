"""The tables, read once."""

import tomllib
from pathlib import Path

from data_schemas.terminology.code_row import Code, CodeTable

_FOLDER = Path(__file__).parent


def _read(name: str) -> dict[str, list[dict[str, str]]]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))


_SYSTEMS = tomllib.loads((_FOLDER / "systems.toml").read_text("utf-8"))
_ADDRESSES: dict[str, list[str]] = {name: s["addresses"] for name, s in _SYSTEMS.items()}
_BELOW = [name for name, system in _SYSTEMS.items() if system.get("classification")]

(LOINC,) = _ADDRESSES["loinc"]
(UCUM,) = _ADDRESSES["ucum"]


def _table(name: str) -> CodeTable:
    rows = [Code.model_validate(row) for row in _read(name)["code"]]
    assert all(row.system in _ADDRESSES for row in rows)
    return CodeTable(rows, _ADDRESSES, _BELOW)


PRODUCTS_BY_CODE = _table("products")
DISEASES_BY_CODE = _table("diseases")
COMORBIDITIES = _table("comorbidities")
DRUGS = _table("drugs")
ANSWERS = _table("answers")
"""Answers to a question, as ``predictor=value``."""
INVOLVEMENT = _table("involvement")
"""Where a disease sits, as ``predictor=value``."""
SPECIMENS = _table("specimens")
NOT_READ = _table("not_read")
"""Laboratory codes that look right and are not: the predictor each seems to be."""
