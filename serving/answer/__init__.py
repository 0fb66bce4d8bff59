"""One patient's answer: compiled models, explanation and words, in plain floats."""
