"""From what is believed and a cohort to a model: prior, posterior, trees, recalibration."""
