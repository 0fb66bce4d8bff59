"""Published evidence on severe CRS and severe ICANS: facts as records, each with source and mark.

The tables beside this file hold one published figure or cohort per row; PROTOCOL.md says how a
paper enters and which rows are kept without ever becoming a weight.

Examples
--------
>>> from data_schemas.evidence import load_evidence
>>> juliet = load_evidence().row("tisa-cel-juliet")
>>> juliet.crs_severe_pct, juliet.crs_scale, juliet.mark("crs_severe_pct"), juliet.mark("n_treated")
(22.0, 'Penn2014', 'read', 'unread')
"""

from data_schemas.evidence.association_row import Association
from data_schemas.evidence.distribution_row import Distribution
from data_schemas.evidence.incidence_row import Incidence
from data_schemas.evidence.loading import Evidence, EvidenceError, Problem, load_evidence
from data_schemas.evidence.performance_row import Performance
from data_schemas.evidence.row import EvidenceRow, Reference
from data_schemas.evidence.vocabulary import Mark, Verified

__all__ = [
    "Association",
    "Distribution",
    "Evidence",
    "EvidenceError",
    "EvidenceRow",
    "Incidence",
    "Mark",
    "Performance",
    "Problem",
    "Reference",
    "Verified",
    "load_evidence",
]
