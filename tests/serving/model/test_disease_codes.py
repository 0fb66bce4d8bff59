"""A code stands for one disease, and one code for all that the contract does not know."""

import numpy as np

from data_schemas.products import DISEASES
from serving.model.disease_codes import by_disease, disease_codes


def test_what_depends_on_a_disease_is_found_by_its_code() -> None:
    named = np.array([*DISEASES, "scurvy", "MM"], dtype=object)
    found = by_disease(lambda disease: disease)[disease_codes({"disease": named})]
    assert found.tolist() == [*DISEASES, "", "MM"]


def test_nobody_has_no_disease() -> None:
    assert len(disease_codes({"disease": np.array([], dtype=object)})) == 0
