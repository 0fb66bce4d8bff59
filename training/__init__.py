"""Learns: many patients in, one model out, judged.

It imports ``serving`` because what is trained here is what will be served, byte for byte.
The order of the room:

- believed: effect_conversions, published_effects, base_rates, recipes, experiment, prior
- learnt: cohort, centres, folds, posterior, boosting, learner, association
- judged: subgroups, resampling, comparators, rehearsal, evaluation, judgement, verification
- run: run_manifest, model_card, saving, report, reporting, pipeline, tracking, promotion, scoring
- elsewhere: updating, external_validation, recalibration, model_lookup
- drawn, where there are no patients: synthetic_patients, synthetic_truth, synthetic_cohort
"""
