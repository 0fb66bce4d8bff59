"""What a model is worth: its pipeline repeated, its limits, its verdict."""
