"""Says: what the words mean, and what is published about them.

No learning, no HTTP and no model library; nothing here imports ``serving`` or ``training``.
"""
