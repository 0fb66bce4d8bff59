"""Accept, by RFC 9110: what excludes FHIR's JSON, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.doors.accept import takes_fhir_json


def takes(*accept: str) -> bool:
    other = [(b"host", b"a"), (b"content-type", b"application/xml")]
    return takes_fhir_json([*other, *((b"accept", one.encode("latin-1")) for one in accept)])


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+json",
        "application/fhir+json; fhirVersion=4.0",
        "application/json",
        "json",
        "*/*",
        "application/*",
        "Application/FHIR+JSON",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/fhir+xml, application/fhir+json;q=0.001",
        "application/fhir+json;q=1.000",
        "application/fhir+xml;q=0, */*",
        "application/json;q=0, */*",  # JSON of other kinds is not what is answered
        "*/*;q=0, application/fhir+json",
        "application/*;q=0, application/json",
        "application/json;q=0, application/json;charset=utf-8",
        "application/json;charset=utf-8, application/json;q=0",
        "",
        " , ",
    ],
)
def test_what_takes_json_is_answered(accept: str) -> None:
    assert takes(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+xml",
        "application/xml, text/xml",
        "text/*",
        "text/json",
        "xml",
        "*/*;q=0",
        "application/*;q=0.0, */*",
        "application/fhir+json;q=0",
        "application/fhir+json;q=0.000",
        "application/fhir+json ; Q=0 , */*",
        "application/fhir+json;q=0, application/json",
        "application/json;q=0",
        "json;q=0, text/html",
        "application/fhir+json;charset=utf-8;q=0",
        "\xff",
    ],
)
def test_what_excludes_json_is_not(accept: str) -> None:
    assert not takes(accept)


def test_several_headers_are_one_list() -> None:
    assert takes()
    assert takes("application/fhir+json", "text/html")
    assert takes("text/html", "application/fhir+json")
    assert not takes("text/html", "application/xml")


RANGES = st.sampled_from(
    ["application/fhir+json", "application/json", "json", "application/*", "*/*", "text/html"]
)


@given(st.lists(st.tuples(RANGES, st.integers(1, 1000)), max_size=6), st.randoms())
def test_order_and_weights_above_zero_change_nothing(
    ranges: list[tuple[str, int]], chance: st.DataObject
) -> None:
    plain = ",".join(name for name, _ in ranges)
    weighted = [f"{name};q={weight / 1000}" for name, weight in ranges]
    chance.shuffle(weighted)  # type: ignore[attr-defined]
    assert takes(plain) is takes(",".join(weighted))
    assert takes(plain) is (not ranges or any(name != "text/html" for name, _ in ranges))


@given(st.text(st.characters(max_codepoint=255)))
def test_any_header_is_read(accept: str) -> None:
    assert takes(accept) in (True, False)
