"""Answers are mostly the same words: each is stored as its difference from an example.

An answer of 24 kB, of which all but the numbers stands in every other, becomes less than 2 kB. The
example is the answer to an invented patient and is stored once, in clear; a row says by its writer
which one it needs.
"""

import threading

import zstandard

_LEVEL = 1


class Compression:
    """Shortens contents that resemble an example (Zstandard, RFC 8878, with a raw dictionary)."""

    def __init__(self, example: bytes) -> None:
        """Read the example once."""
        self.dictionary = example
        self._known = _dictionary(example)
        if self._known is not None:
            self._known.precompute_compress(level=_LEVEL)
        # A compressor lets other threads run while it works, and is for one of them only.
        self._here = threading.local()

    def compressed(self, content: bytes) -> bytes:
        """Return the content, shorter."""
        machine: zstandard.ZstdCompressor | None = getattr(self._here, "machine", None)
        if machine is None:
            # The checksum tells a wrong example, which Zstandard itself would not notice.
            machine = self._here.machine = zstandard.ZstdCompressor(
                level=_LEVEL, dict_data=self._known, write_checksum=True, write_dict_id=False
            )
        return machine.compress(content)


class NotRestored(Exception):
    """The content or the dictionary is not what it was."""


def restored(content: bytes, dictionary: bytes) -> bytes:
    """Return what was compressed with a dictionary.

    Raises
    ------
    NotRestored
        If the content or the dictionary is not what it was.
    """
    try:
        return zstandard.ZstdDecompressor(dict_data=_dictionary(dictionary)).decompress(content)
    except zstandard.ZstdError:
        raise NotRestored from None


def _dictionary(example: bytes) -> zstandard.ZstdCompressionDict | None:
    if not example:
        return None
    return zstandard.ZstdCompressionDict(example, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
