"""Answers: one patient in, one assessment out.

Core files (``terms`` to ``assess``) know numbers and words; doors (``settings``, ``service``) know
the outside world.
Nothing here learns, and nothing here imports ``training``: delete that room and this one still
runs.
"""
