"""Passbands refuse what cannot be a response."""

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.products.passband import Passband


def _band(wave, transmission):
    return Passband(name="x", wave=np.array(wave), transmission=np.array(transmission))


def test_linear_inside_zero_outside():
    band = _band([4000.0, 5000.0], [0.0, 1.0])
    np.testing.assert_allclose(band([3999.0, 4250.0, 5001.0]), [0.0, 0.25, 0.0])


@pytest.mark.parametrize(
    ("wave", "transmission", "match"),
    [
        ([1.0], [1.0], "two or more"),
        ([1.0, 2.0], [1.0], "one\nlength|one length"),
        ([2.0, 1.0], [1.0, 1.0], "must increase"),
        ([1.0, np.nan], [1.0, 1.0], "NaN"),
        ([1.0, 2.0], [0.0, 0.0], "no sample transmits"),
    ],
)
def test_refused(wave, transmission, match):
    with pytest.raises(InputError, match=match):
        _band(wave, transmission)
