"""What every row of evidence says, and the rules between its fields.

A key left out of a row is not known; it is None here and is never filled with a guess.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from data_schemas.evidence.vocabulary import Mark, Probability, Product, Slug, Text, Verified, Year


class Finding(NamedTuple):
    """One rule that a row breaks: the field, the limit that holds, and what to do."""

    field: str
    limit: str
    remedy: str


class Reference(BaseModel):
    """A paper, label, abstract or record; its key in references.toml is what rows cite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["paper", "label", "abstract", "record"]
    where: Text
    authors: Text | None = None
    title: Text | None = None
    journal: Text | None = None
    year: Year | None = None
    doi: Annotated[str, Field(pattern=r"^10\.\d{4,9}/\S+$")] | None = None
    pmid: Annotated[str, Field(pattern=r"^\d{1,8}$")] | None = None
    note: Text | None = None

    @property
    def citation(self) -> str:
        """The reference in one line: who, where, and the DOI if there is one."""
        where = f"{self.journal} {self.where}" if self.journal else self.where
        doi = f"doi:{self.doi}" if self.doi else None
        return ", ".join(part for part in (self.authors, where, doi) if part)


class EvidenceRow(BaseModel):
    """What every row says: whom it is about, where it was read, how far it was checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # A computed figure is as well read as the least read figure it is computed from.
    COMPUTED_FROM: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    id: Slug
    product: Product
    shares: dict[Product, Probability] | None = None
    population: Text | None = None
    reference: Text
    also: tuple[Text, ...] = ()
    verified: Verified
    not_reread: Text | None = None
    unread_fields: tuple[str, ...] = ()
    source: Text | None = None
    note: Text | None = None

    def __hash__(self) -> int:
        """Rows are told apart by their id, which is unique over all tables."""
        return hash(self.id)

    def mark(self, field: str) -> Mark:
        """Say whether one figure of this row was read in its source.

        Parameters
        ----------
        field
            A field of the record, or a figure computed from fields, such as ``events_crs_severe``.

        Returns
        -------
        "read" or "unread"
            A figure that is left out is "unread": nobody has read what is not there.

        Raises
        ------
        KeyError
            If the record has no such field.
        """
        if field in self.COMPUTED_FROM:
            marks = {self.mark(part) for part in self.COMPUTED_FROM[field]}
            return "read" if marks == {"read"} else "unread"
        if field not in type(self).model_fields:
            raise KeyError(f"{type(self).__name__} has no field {field!r}")
        if self.verified == "unread" or field in self.unread_fields:
            return "unread"
        return "unread" if getattr(self, field) is None else "read"

    def _given(self, *names: str) -> bool:
        """Whether the row states all these keys, be their values sound or not."""
        return self.model_fields_set.issuperset(names)

    def findings(self) -> Iterator[Finding]:
        """Rules between the fields of this row that the row breaks."""
        yield from self._mark_findings()
        if self.shares is not None:
            if self.product != "mixed":
                yield Finding("shares", "only a mix has shares", 'set product = "mixed"')
            # Published shares are whole percentages, so their sum may miss one by a little.
            if not 0.97 <= sum(self.shares.values()) <= 1.03:
                yield Finding("shares", "shares must sum to 1", "give every product of the mix")

    def _mark_findings(self) -> Iterator[Finding]:
        """A partly read row names what was not read; the other rows have nothing to name."""
        if self.verified == "partly_read":
            if not self._given("not_reread"):
                yield Finding("not_reread", "required if partly_read", "name the figures in words")
            if not self._given("unread_fields"):
                yield Finding("unread_fields", "required if partly_read", "name the fields")
        elif self._given("not_reread") or self._given("unread_fields"):
            yield Finding(
                "unread_fields", f"not allowed if {self.verified}", 'use verified = "partly_read"'
            )
        if self.verified in ("read", "partly_read") and not self._given("source"):
            yield Finding("source", f"required if {self.verified}", "say where it was read")
        for name in self.unread_fields:
            if name not in type(self).model_fields:
                yield Finding("unread_fields", f"{name!r} is not a field", "correct the spelling")
            elif not self._given(name):
                yield Finding("unread_fields", f"{name!r} has no value", "remove it from the list")


def percent_findings(field: str, percent: float | None, patients: int | None) -> Iterator[Finding]:
    """A percentage of patients is of whole ones: none, all, or with rounding at least one."""
    if percent is None or patients is None:
        return
    least = 50 / patients
    if 0 < percent < least or 0 < 100 - percent < least:
        yield Finding(
            field,
            f"{percent:g} % of {patients} patients must be 0, 100, or half a patient from either",
            "compare both figures with the source",
        )


def interval_findings(
    field: str, value: float | None, prefix: str, low: float | None, high: float | None
) -> Iterator[Finding]:
    """Ends in order, and the estimate between them."""
    low_name, high_name = f"{prefix}_low".lstrip("_"), f"{prefix}_high".lstrip("_")
    if low is not None and high is not None and low > high:
        yield Finding(low_name, f"{low} must not exceed {high_name} {high}", "exchange the ends")
    elif value is not None and (
        (low is not None and value < low) or (high is not None and value > high)
    ):
        yield Finding(
            field,
            f"{value} must lie within {low_name} {low} to {high_name} {high}",
            "compare with the source",
        )
