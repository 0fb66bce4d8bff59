"""Where a store's promotions are written down: ``training`` writes them, the service shows them."""

LEDGER_FILE = "promotions.jsonl"
HEAD_FILE = "promotions.head"
"""The hash that the last line must have."""
BEGINNING = "0" * 64
"""What the first line names in place of the hash of a line before."""
