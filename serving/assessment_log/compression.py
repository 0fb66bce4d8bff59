"""Answers are mostly the same words: each is stored as its difference from an example.

An answer of 18 kB, of which all but the numbers stands in every other, becomes about 1 kB. The
example is the answer to an invented patient and is stored once, in clear; a row says by its writer
which one it needs.
"""

import zlib

_LEVEL = 3
_WINDOW = 32 * 1024


class Compression:
    """Shortens contents that resemble an example (zlib, RFC 1950, with a preset dictionary)."""

    def __init__(self, example: bytes) -> None:
        """Read the example once; nothing but its last 32 kB can be referred to."""
        self.dictionary = example[-_WINDOW:]
        self._primed = zlib.compressobj(_LEVEL, zdict=self.dictionary)

    def compressed(self, content: bytes) -> bytes:
        """Return the content, shorter."""
        machine = self._primed.copy()  # half the time of reading the example again
        return machine.compress(content) + machine.flush()


def restored(content: bytes, dictionary: bytes) -> bytes:
    """Return what was compressed with a dictionary.

    Raises
    ------
    zlib.error
        If the content or the dictionary is not what it was.
    """
    machine = zlib.decompressobj(zdict=dictionary)
    return machine.decompress(content) + machine.flush()
