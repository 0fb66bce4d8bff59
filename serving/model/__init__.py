"""The model as data: terms, posterior, trees, artefact, and of whom it may speak."""
