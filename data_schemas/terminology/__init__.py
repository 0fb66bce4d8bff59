"""Codes of other people's terminologies and what they mean here: tables, each row with its source.

Laboratory codes stand with the predictors themselves (``Declared.loinc``); here is the rest.
"""

from data_schemas.terminology.code_row import Code, CodeTable
from data_schemas.terminology.tables import (
    ANSWERS,
    COMORBIDITIES,
    DISEASES_BY_CODE,
    DRUGS,
    INVOLVEMENT,
    LOINC,
    NOT_READ,
    PRODUCTS_BY_CODE,
    SPECIMENS,
    UCUM,
)

__all__ = [
    "ANSWERS",
    "COMORBIDITIES",
    "DISEASES_BY_CODE",
    "DRUGS",
    "INVOLVEMENT",
    "LOINC",
    "NOT_READ",
    "PRODUCTS_BY_CODE",
    "SPECIMENS",
    "UCUM",
    "Code",
    "CodeTable",
]
