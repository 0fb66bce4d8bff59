"""Learns: many patients in, one model out, judged.

It imports ``serving`` because what is trained here is what will be served, byte for byte.
The order of the room:

- believed: effect_conversions, published_effects, base_rates, recipes, experiment, prior
- learnt: cohort, centres, posterior, boosting, learner, association
- judged: performance, stability, judgement, verification, figures, model_card
- run: pipeline, run_manifest, tracking, promotion, scoring
- drawn, where there are no patients: synthetic_patients, synthetic_truth, synthetic_cohort
"""
