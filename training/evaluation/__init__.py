"""Judges risks, not models: log-odds and outcomes in, measures out.

In order: ``scored_cohort`` (what is judged), the measures, ``evaluate`` (all of them on one scored
cohort), the record that a report is written from.
Nothing here knows a model class, so it judges every learner, score and centre alike.
"""
