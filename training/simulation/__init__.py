"""Patients who do not exist, and how the evidence does among them; never clinical performance."""
