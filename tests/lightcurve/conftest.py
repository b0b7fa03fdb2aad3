"""Let sncosmo use the passbands shipped with chandelle: no network in tests."""

import pytest
import sncosmo

from chandelle.instrument.passbands import list_passbands, load_passband


@pytest.fixture(scope="session", autouse=True)
def same_passbands() -> None:
    """Register our passbands in sncosmo under the same names."""
    for name in list_passbands():
        band = load_passband(name)
        sncosmo.register(sncosmo.Bandpass(band.wave, band.transmission, name=name), force=True)
