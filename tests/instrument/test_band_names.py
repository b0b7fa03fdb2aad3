"""Aliases of passbands: each means one shipped passband, single letters mean none."""

import pytest

from chandelle.instrument.band_names import BAND_ALIASES, explain_bands
from chandelle.instrument.passbands import list_passbands


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        *(("ztf_g", "ztfg"), ("ZTF_g", "ztfg"), ("zr", "ztfr"), ("p48i", "ztfi")),
        *(("lsst_r", "lsstr"), ("LSST_Y", "lssty"), ("bessell_V", "bessellv")),
    ],
)
def test_an_alias_is_a_passband(alias, name):
    assert BAND_ALIASES[alias] == name


def test_no_alias_hides_a_passband_and_no_letter_is_one():
    shipped = set(list_passbands())
    assert set(BAND_ALIASES.values()) <= shipped
    assert not set(BAND_ALIASES) & shipped
    assert min(map(len, BAND_ALIASES)) > 1


def test_unknown_bands_name_what_is_near():
    told = explain_bands(["g", "nothing_like_it", "g"], list_passbands())
    assert told.startswith("unknown bands 'g' (near: lsstg, ztfg), 'nothing_like_it' (near: ")
