"""Learns: many patients in, one model out, judged.

It imports ``serving`` because what is trained here is what will be served, byte for byte.
The order of the room: experiment, cohort, evidence_synthesis, posterior, boosting, learner,
performance, pipeline, tracking, promotion.
"""
