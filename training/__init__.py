"""Learns: many patients in, one model out, judged.

It imports ``serving`` because what is trained here is what will be served, byte for byte.
The order of the room: what is believed (effect_conversions, published_effects, base_rates, prior,
recipes, experiment), what is learnt (cohort, centres, posterior, boosting, learner, association), how well
(performance, stability, judgement, verification, figures, model_card), and the run (pipeline,
run_manifest, tracking, promotion, scoring); synthetic_cohort draws the patients that nobody has.
"""
