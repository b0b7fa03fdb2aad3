"""sncosmo with the model and the passbands that chandelle ships, as the tests have it."""

import importlib.util
from pathlib import Path
from typing import Any

import sncosmo

from chandelle.instrument.passbands import list_passbands, load_passband


def light_curve_helpers() -> Any:
    """Load the module that the light-curve tests share."""
    path = Path(__file__).parents[1] / "tests" / "lightcurve" / "conftest.py"
    spec = importlib.util.spec_from_file_location("lightcurve_helpers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def register_passbands() -> None:
    """Give sncosmo our passbands under their names."""
    for name in list_passbands():
        band = load_passband(name)
        sncosmo.register(sncosmo.Bandpass(band.wave, band.transmission, name=name), force=True)
