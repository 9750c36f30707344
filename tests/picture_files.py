"""Picture files for tests, and what is expected of those that are refused."""

import warnings

import numpy as np
import pytest

from lr_edit.errors import UserError


def noise(height=12, width=20, channels=3, high=256, seed=0):
    shape = (height, width, channels)[: 3 if channels > 1 else 2]
    dtype = np.uint8 if high <= 256 else np.uint16
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


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
