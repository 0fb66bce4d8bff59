"""One pass over a cohort table that finds everything wrong with it."""

from datetime import date, datetime
from enum import StrEnum

import numpy as np
import pandas as pd

from data_schemas.censored_results import written_numbers
from data_schemas.cohort_columns import (
    ADMINISTRATIVE,
    GRADES,
    MEASURED_AT,
    SYNTHETIC,
    columns_of,
    similar_columns,
)
from data_schemas.cohort_refusal import Violation
from data_schemas.likely_unit import Sent, hints
from data_schemas.outcomes import Outcome
from data_schemas.possible_dates import BEFORE_FIRST_INFUSIONS, FIRST_INFUSIONS
from data_schemas.predictors import (
    DERIVED,
    NEVER_PREDICTORS,
    PREDICTORS,
    REQUIRED,
    Category,
    Declared,
    Flag,
    Quantity,
)
from data_schemas.quantity_limits import limits_in_words
from data_schemas.toxicity_grading import (
    ASTCT_2019,
    HIGHEST_GRADE,
    GradingScale,
    parse_grading_scale,
)
from data_schemas.units import IDENTITY, LARGEST
from data_schemas.unread_values import COMMA_IN_NUMBER, DECIMAL_POINT, OTHER_NAMES, without_sign
from data_schemas.word_spellings import folded, word_of

_ENOUGH_TO_KNOW_BY = 5
"""Two patients who were infused on one day rarely agree in so many measured quantities."""
_YES_NO = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0}
_YES_NO |= {"0.0": 0.0}
_NO_COLUMN = "if it holds a predictor, name it as `cart-risk columns` does, else leave it out"
_NOT_KNOWN = ("unknown", "none")
_NO_GRADE = (
    "a grade is one whole number 0 to 5: write 3 for Grade 3 or III; where no more is known than "
    "severe or not, leave the cell empty and say yes or no in {flag}"
)


class Purpose(StrEnum):
    """What a table is read for; it decides which columns must be there."""

    DEVELOPMENT = "development"
    SCORING = "scoring"


class CohortCheck:
    """One pass over a table, collecting violations."""

    def __init__(self, table: pd.DataFrame, purpose: Purpose, today: date) -> None:
        self.table = table
        self.purpose = purpose
        self.today = today
        self.violations: list[Violation] = []
        self.notices: list[str] = []
        self.sent: list[Sent] = []
        """Every quantity in the table, as it came."""
        self.known = {*ADMINISTRATIVE, *GRADES, *NEVER_PREDICTORS, *DERIVED}
        self.known |= {name for name in map(str, table) if name.startswith("outcome_")}

    def violate(self, column: str, rule: str, message: str, bad: pd.Series | None = None) -> None:
        """Note that a column breaks a rule: as a whole, or in the rows that are bad, if any are."""
        rows = () if bad is None else tuple(int(i) + 1 for i in np.flatnonzero(bad.to_numpy()))
        if bad is None or rows:
            self.violations.append(Violation(column, rule, message, rows))

    def predictors(self) -> pd.DataFrame:
        """Return every predictor of the contract in its canonical unit."""
        columns = {name: self._predictor(name, PREDICTORS[name]) for name in PREDICTORS}
        for name in sorted(set(DERIVED) & set(self.table)):
            self.notices.append(f"{name} is computed from {DERIVED[name]}; the column is not read")
        for name in sorted(set(NEVER_PREDICTORS) & set(self.table)):
            self.notices.append(f"{name}: {NEVER_PREDICTORS[name]}; the column is not learnt from")
        return pd.DataFrame(columns, index=self.table.index)

    def _predictor(self, name: str, declared: Declared) -> pd.Series:
        if isinstance(declared, Quantity):
            column = self._quantity(name, declared)
        elif isinstance(declared, Category):
            column = self._category(name, declared)
        else:
            assert isinstance(declared, Flag)
            column = self._flag(name)
        if name in REQUIRED and (name != "age" or self.purpose is Purpose.DEVELOPMENT):
            self._require(name, declared)
        if self.purpose is Purpose.DEVELOPMENT:
            self._refuse_all_missing(name, declared, column)
        return column

    def _require(self, name: str, declared: Declared) -> None:
        present = [c for c in columns_of(name, declared) if c in self.table]
        for column in present:
            self.violate(column, "required", f"{name} must be known", self.table[column].isna())
        if not present and name not in self.table:  # else its missing unit was refused already
            self.violate(name, "required", f"the column {name} is required")

    def _refuse_all_missing(self, name: str, declared: Declared, column: pd.Series) -> None:
        present = [c for c in columns_of(name, declared) if c in self.table]
        diseases = self._words("disease") if "disease" in self.table else pd.Series(dtype=object)
        meaningful = not declared.diseases or bool(diseases.isin(declared.diseases).any())
        if present and meaningful and name not in REQUIRED and self.table[present[0]].isna().all():
            message = "every value is missing: leave the column out if it was never measured"
            self.violate(present[0], "all_missing", message)

    def _quantity(self, name: str, declared: Quantity) -> pd.Series:
        columns = declared.columns(name)
        self.known |= {*columns, f"{name}{MEASURED_AT}"}
        present = [column for column in columns if column in self.table]
        expected = ", ".join(columns)
        if name in self.table and name not in columns:
            self.known.add(name)
            self.violate(name, "no_unit", f"a column needs its unit in its name: one of {expected}")
        if len(present) > 1:
            self.violate(", ".join(present), "two_units", f"give {name} in one unit only")
        if not present:
            return pd.Series(np.nan, index=self.table.index)
        column = present[0]
        given = self.table[column]
        values = self._numbers(column, given, name)
        rule = declared.conversions[columns[column]]
        canonical = values if rule is IDENTITY else values.map(rule, na_action="ignore")
        sent = Sent(name, declared, column, values, canonical)
        self.sent.append(sent)
        outside = canonical.notna() & ~canonical.between(*declared.hard)
        if outside.any():
            limits = limits_in_words(declared, sent.unit, declared.hard)
            message = "; ".join([f"must lie between {limits}", *hints(sent)])
            self.violate(column, "outside_limits", message, outside)
        if declared.whole:
            broken = canonical.notna() & (canonical != canonical.round())
            self.violate(column, "not_whole", "must be whole numbers", broken)
        return canonical

    def _numbers(
        self, column: str, given: pd.Series, name: str = "", no_number: str = ""
    ) -> pd.Series:
        """Read numbers; a result below the detection limit, ``<x``, counts as half of x.

        One above what the assay measures, ``>x``, counts as x. What no assay limits is refused: an
        age "<18" says nothing that half of 18 would say. ``no_number`` is what is said of what is
        none, where that is not what is said of a measurement.
        """
        if pd.api.types.is_bool_dtype(given):
            self.violate(column, "not_a_number", "must be numbers, not yes or no")
            return pd.Series(np.nan, index=given.index)
        if pd.api.types.is_numeric_dtype(given):
            values = pd.to_numeric(given).astype(float)
        else:
            values = self._written_numbers(column, given, name, no_number)
        infinite = values.abs() >= LARGEST
        self.violate(column, "not_a_number", "must be finite", infinite)
        return values.where(~infinite)

    def _written_numbers(
        self, column: str, given: pd.Series, name: str, no_number: str
    ) -> pd.Series:
        text = given.astype("string").str.strip()
        read = written_numbers(text, PREDICTORS.get(name))
        self.notices += [f"{column}: {said}" for said in read.in_words()]
        bad = given.notna() & read.values.isna()
        if no_number:
            self.violate(column, "not_a_number", no_number, bad)
            return read.values
        comma = bad & text.str.contains(COMMA_IN_NUMBER).fillna(False).astype(bool)
        signed = bad & ~comma & read.signed
        words = "must be numbers, not words: leave the cell empty where nothing was measured"
        for kind, message in (
            (comma, f"must be numbers: {DECIMAL_POINT}"),
            (signed, f"must be numbers: {without_sign(name)}"),
            (bad & ~comma & ~signed, words),
        ):
            self.violate(column, "not_a_number", message, kind)
        return read.values

    def _category(self, name: str, declared: Category) -> pd.Series:
        self.known |= {name, f"{name}{MEASURED_AT}"}
        if name not in self.table:
            return pd.Series([None] * len(self.table), index=self.table.index, dtype=object)
        given, words = self.table[name], self._words(name)
        bad = given.notna() & words.isna()
        said = [f"must be one of {', '.join(declared.choices)}"]
        if name == "product":
            said.append(OTHER_NAMES)
        if name not in REQUIRED and given[bad].astype(str).map(folded).isin(_NOT_KNOWN).any():
            said.append("leave the cell empty where it is not known")
        self.violate(name, "not_a_choice", "; ".join(said), bad)
        return words

    def _words(self, name: str) -> pd.Series:
        """Return a category in the contract's own words, None where there is none."""
        codes, seen = pd.factorize(self.table[name])
        words = np.array([*(word_of(name, text) for text in seen), None], dtype=object)
        return pd.Series(words[codes], self.table.index, object)  # what is missing has the code -1

    def _flag(self, name: str) -> pd.Series:
        self.known |= {name, f"{name}{MEASURED_AT}"}
        if name not in self.table:
            return pd.Series(np.nan, index=self.table.index)
        return self._yes_no(name)

    def _yes_no(self, name: str) -> pd.Series:
        given = self.table[name]
        text = given.astype("string").str.strip().str.lower()
        values = text.map(_YES_NO).astype(float)
        unknown = text.eq("unknown").fillna(False).astype(bool)
        bad = given.notna() & values.isna() & ~unknown
        message = "must be yes or no; leave the cell empty where it is not known"
        self.violate(name, "not_a_choice", message, bad)
        return values

    def administrative(self) -> dict[str, pd.Series]:
        """Return who, where and when."""
        needed = {"patient_id"}
        if self.purpose is Purpose.DEVELOPMENT:
            needed |= {"site", "infusion_date"}
        for name in sorted(needed - set(self.table)):
            self.violate(name, "required", f"the column {name} is required")
        patient_id = self._text("patient_id", needed=True)
        infused = self._dates("infusion_date", needed="infusion_date" in needed)
        self._infused_in_time(infused)
        if "patient_id" in self.table:
            message = "one row a patient: keep the first infusion only"
            who = patient_id.str.strip()
            repeated = who.duplicated(keep=False) & who.ne("")
            self.violate("patient_id", "duplicated_patient", message, repeated)
        return {
            "patient_id": patient_id,
            "site": self._site(needed="site" in needed),
            "infusion_date": infused,
        }

    def _site(self, *, needed: bool) -> pd.Series:
        """Read the sites; two that differ by case or spaces alone are pointed out."""
        site = self._text("site", needed=needed).str.strip()
        spelt = site.str.casefold().str.replace(r"\s+", " ", regex=True)
        twice = site.groupby(spelt).nunique()
        if (alike := int((twice > 1).sum())) > 0:
            self.notices.append(
                f"site: {alike} names are written in several ways that differ by capitals or "
                "spaces alone; each counts as a site of its own: write them alike if they are one"
            )
        return site

    def _infused_in_time(self, infused: pd.Series) -> None:
        """Refuse infusions before there were any; and to learn from, those that are yet to be."""
        early = infused < pd.Timestamp(FIRST_INFUSIONS)
        self.violate("infusion_date", "before_first_infusions", BEFORE_FIRST_INFUSIONS, early)
        if self.purpose is Purpose.DEVELOPMENT:
            late = infused.dt.normalize() > pd.Timestamp(self.today)
            message = (
                f"must not lie after today, {self.today}: correct the date, or leave out who is "
                "yet to be infused"
            )
            self.violate("infusion_date", "in_the_future", message, late)

    def nobody_twice(self, predictors: pd.DataFrame, whereabouts: pd.DataFrame) -> None:
        """Refuse rows that are alike in everything that was measured, whatever their identifiers.

        Parameters
        ----------
        predictors
            In canonical units.
        whereabouts
            Site and day of infusion.
        """
        quantities = [n for n in predictors if isinstance(PREDICTORS[str(n)], Quantity)]
        enough = predictors[quantities].notna().sum(axis=1) >= _ENOUGH_TO_KNOW_BY
        whole = pd.concat([predictors, whereabouts], axis=1)
        message = (
            f"the same values as another row, {_ENOUGH_TO_KNOW_BY} or more of them measured, "
            "at the same site on the same day: one row a patient"
        )
        self.violate("(rows)", "duplicated_row", message, whole.duplicated(keep=False) & enough)

    def synthetic(self) -> bool:
        """Tell whether any row says that it was simulated."""
        return SYNTHETIC in self.table and bool(self._yes_no(SYNTHETIC).eq(1).any())

    def _text(self, name: str, *, needed: bool) -> pd.Series:
        if name not in self.table:
            return pd.Series("", index=self.table.index, dtype=object, name=name)
        text = self.table[name].astype(str).astype(object)
        missing = self.table[name].isna() | text.str.strip().isin(("", "None"))
        if needed:
            self.violate(name, "required", f"{name} must be known", missing)
        return text.where(~missing, "")

    def _dates(self, name: str, *, needed: bool) -> pd.Series:
        if name not in self.table:
            return pd.Series(pd.NaT, index=self.table.index, dtype="datetime64[ns]")
        given = self.table[name]
        if pd.api.types.is_datetime64_any_dtype(given):
            dates = given.dt.tz_localize(None)
        else:
            clock = [_clock_time(text) for text in given]
            dates = pd.Series(clock, index=given.index, dtype="datetime64[us]")
        message = "must be ISO 8601 dates, such as 2024-03-31"
        self.violate(name, "not_a_date", message, given.notna() & dates.isna())
        if needed:
            self.violate(name, "required", f"{name} must be known", given.isna())
        return dates

    def days_before_infusion(self, infusion: pd.Series) -> dict[str, np.ndarray]:
        """Return how long before infusion each predictor was measured, where the table says so."""
        days = {}
        for column in [str(c) for c in self.table if self._says_when_measured(str(c))]:
            measured = self._dates(column, needed=False)
            if infusion.isna().all() and measured.notna().any():
                message = "needs infusion_date to place the measurement before it"
                self.violate(column, "no_infusion_date", message)
            whole_day = infusion == infusion.dt.normalize()
            distance = infusion.dt.normalize() - measured.dt.normalize()
            after = (distance.dt.days < 0) | (~whole_day & (measured >= infusion))
            message = "a predictor must be measured before the infusion"
            self.violate(column, "measured_after_infusion", message, after)
            days[column.removesuffix(MEASURED_AT)] = distance.dt.days.to_numpy(dtype=float)
        return days

    def outcomes(self, wanted: tuple[Outcome, ...]) -> pd.DataFrame:
        """Return the wanted outcomes as 1, 0 and NaN."""
        columns = {outcome.name: self._outcome(outcome) for outcome in wanted}
        if any(self._needs_grades(outcome) for outcome in wanted):
            self._one_consensus_scale()
        if self.purpose is Purpose.DEVELOPMENT:
            self._name_unchecked(wanted)
        return pd.DataFrame(columns, index=self.table.index, dtype=float)

    def _needs_grades(self, outcome: Outcome) -> bool:
        """Tell whether an outcome is read from grades, or would be if they were there."""
        if outcome.grade_column is None:
            return False
        return outcome.grade_column in self.table or outcome.flag_column not in self.table

    def _name_unchecked(self, wanted: tuple[Outcome, ...]) -> None:
        asked = {name for o in wanted for name in (o.grade_column, o.flag_column)}
        for name in map(str, self.table):
            if (name in GRADES or name.startswith("outcome_")) and name not in asked:
                message = "its outcome is not asked for; the column is neither read nor checked"
                self.notices.append(f"{name}: {message}")

    def _outcome(self, outcome: Outcome) -> pd.Series:
        grade_column = outcome.grade_column
        if grade_column is not None and grade_column in self.table:
            no_grade = _NO_GRADE.format(flag=outcome.flag_column)
            grades = self._numbers(grade_column, self.table[grade_column], no_number=no_grade)
            bad = grades.notna() & ~grades.isin(range(HIGHEST_GRADE + 1))
            self.violate(grade_column, "outside_limits", "a grade is a whole number 0 to 5", bad)
            severe = (grades >= outcome.severe_from_grade).astype(float).where(grades.notna())
            return self._agreeing(severe, outcome)
        if outcome.flag_column in self.table:
            return self._yes_no(outcome.flag_column)
        name = grade_column or outcome.flag_column
        self.violate(name, "required", f"the outcome {outcome.name} is read from this column")
        return pd.Series(np.nan, index=self.table.index)

    def _agreeing(self, severe: pd.Series, outcome: Outcome) -> pd.Series:
        """Complete what the grades say with the yes-or-no column, which must not say otherwise."""
        if outcome.flag_column not in self.table:
            return severe
        said = self._yes_no(outcome.flag_column)
        contradicts = severe.notna() & said.notna() & (severe != said)
        message = f"says otherwise than {outcome.grade_column}"
        self.violate(outcome.flag_column, "contradiction", message, contradicts)
        return severe.where(severe.notna(), said)

    def _one_consensus_scale(self) -> None:
        if "grading_scale" not in self.table:
            self.violate("grading_scale", "required", "say on which scale the grades were given")
            return
        scales = self.table["grading_scale"].map(_scale_or_none)
        unknown = self.table["grading_scale"].isna() | scales.isna()
        accepted = ", ".join(scale.value for scale in GradingScale)
        self.violate("grading_scale", "unknown_scale", f"must be one of {accepted}", unknown)
        other = scales.notna() & (scales != GradingScale.ASTCT2019)
        if other.any() and (scales == GradingScale.ASTCT2019).any():
            rule, message = "mixed_grading_scales", "scales are mixed and cannot be pooled"
        else:
            rule, message = "other_grading_scale", "the outcome is defined on ASTCT 2019"
        remedy = (
            f"{message}: grade these patients anew from their records by the tables of "
            f"{ASTCT_2019}, or leave them out"
        )
        self.violate("grading_scale", rule, remedy, other)

    def unknown_columns(self) -> None:
        """Note every column that nobody has read."""
        for column in self.table:
            name = str(column)
            if name not in self.known and not self._says_when_measured(name):
                near = similar_columns(name)
                remedy = f"did you mean {' or '.join(near)}?" if near else _NO_COLUMN
                self.violate(name, "unknown_column", f"not a column of the contract; {remedy}")

    def _says_when_measured(self, column: str) -> bool:
        return column.endswith(MEASURED_AT) and column.removesuffix(MEASURED_AT) in PREDICTORS


def _clock_time(given: object) -> datetime | None:
    """Read ISO 8601 as the clock on the wall showed it, whatever its offset."""
    try:
        return datetime.fromisoformat(str(given)).replace(tzinfo=None)
    except ValueError:
        return None


def _scale_or_none(text: object) -> GradingScale | None:
    try:
        return parse_grading_scale(str(text))
    except ValueError:
        return None
