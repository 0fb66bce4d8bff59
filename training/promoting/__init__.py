"""Which version may answer, who said so, and the way back."""
