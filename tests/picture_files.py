"""Picture files for tests, and what is expected of those that are refused."""

import struct
import warnings
import zlib

import numpy as np
import pytest

from lr_edit.errors import UserError


def noise(height=12, width=20, channels=3, high=256, seed=0):
    shape = (height, width, channels)[: 3 if channels > 1 else 2]
    dtype = np.uint8 if high <= 256 else np.uint16
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


def png_chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def raw_png(width, depth, kind, rows, *chunks):
    """A PNG such as Pillow does not write: of a depth in bits, a colour type, and filtered rows."""
    height = len(rows) // (1 + width * depth * {0: 1, 2: 3, 4: 2, 6: 4}[kind] // 8)
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    body = b"".join((head, *chunks, png_chunk(b"IDAT", zlib.compress(rows))))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def written(image, path, **options):
    image.save(path, **options)
    return path


def refused(call, *expected):
    """The call fails with one line that holds all of `expected`, and without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError) as error:
            call()
    message = str(error.value)
    assert message.isprintable()
    for part in expected:
        assert part in message
