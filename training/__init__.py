"""Learns: many patients in, one model out, judged.

It imports ``serving`` because what is trained here is what will be served, byte for byte.
Each room imports only from those above it, and from the files beside the rooms:

- ``synthesis``: what is published, on one scale
- ``learning``: prior, posterior, trees, recalibration
- ``simulation``: patients who do not exist, where there are no others
- ``judging``: a model by its whole pipeline repeated, its limits, its verdict; with ``evaluation``,
  which knows numbers only
- ``promoting``: which version may answer

Beside the rooms stand what a run is made of (``experiment``, ``cohort``, ``pipeline``,
``recalibration``), what it leaves behind (``saving``, ``model_card``, ``run_record``,
``reporting``, ``report``, ``tracking``) and the command line (``__main__``).
"""
