"""Which days of infusion and of measurement can be true, by the day on which they are told."""

from datetime import date, timedelta

FIRST_INFUSIONS = date(2009, 1, 1)
"""No infusion is older: the first patient whose lymphoma regressed after CAR-T cells against CD19
was treated in a trial registered in 2009 (NCT00924326; Kochenderfer JN, Blood 2010;116:4099-4102).
"""
MOST_DAYS_AHEAD = 366
"""Who is assessed before infusion is infused within a year: our choice, to find mistyped years."""
TIME_ZONE = timedelta(days=1)
"""The calendar of the place that sends may be a day before or behind that of the place that reads.
"""
ONE_INFUSION_DAYS = 28
"""Days of infusion that lie no further apart are of one infusion: parted, or postponed.

A completed one that lies further back is an earlier treatment.
"""
BEFORE_FIRST_INFUSIONS = (
    f"must not lie before {FIRST_INFUSIONS}: the first patient who responded to CAR-T "
    "cells against CD19 was treated in 2009; correct the year, or shift dates that were "
    "disguised into this time, all by as much"
)


def latest_infusion(today: date) -> date:
    """Return the last day that an infusion may be planned for."""
    return today + timedelta(days=MOST_DAYS_AHEAD) + TIME_ZONE


def latest_measurement(today: date) -> date:
    """Return the last day on which anything can have been measured."""
    return today + TIME_ZONE


def has_passed(infusion: date, today: date) -> bool:
    """Tell whether an infusion is surely over: its own day and the one after it are not told so."""
    return infusion < today - TIME_ZONE


def too_far_ahead(today: date) -> str:
    """Return what is said of an infusion that is planned too far ahead."""
    return (
        f"must not lie after {latest_infusion(today)}, {MOST_DAYS_AHEAD} days from today and one "
        "more for time zones: the limit is our choice, because nobody's infusion is planned so "
        "long beforehand; correct the date, or assess the patient nearer to it"
    )


def measured_in_the_future(today: date) -> str:
    """Return what is said of a measurement that is yet to be made."""
    return (
        f"measured_at must not lie after {latest_measurement(today)}, which is today and one day "
        "for time zones: nothing was measured in the future; correct the date, or leave "
        "measured_at out"
    )
