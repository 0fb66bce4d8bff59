"""Answers: one patient in, one assessment out.

``model`` is what a model is, with arrays of patients; ``answer`` makes one patient's answer, and
``assess`` is that on one page. ``doors``, ``rest`` and ``service`` know the outside world;
``assessment_log`` keeps what was answered.
Nothing here learns, and nothing here imports ``training``: delete that room and this one still
runs.
"""
