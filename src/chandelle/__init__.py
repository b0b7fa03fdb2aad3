"""Type Ia supernova cosmology at survey scale: from raw pixels to the Lemaitre diagram.

Every name below is loaded when it is first used, so that ``import chandelle`` takes a moment and
JAX is not imported before the precision is set.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chandelle import report
    from chandelle.compute.clients import new_client
    from chandelle.compute.maps import map
    from chandelle.compute.scaling import measure_scaling
    from chandelle.cosmology.stage import fit_cosmology
    from chandelle.instrument.passbands import load_passband
    from chandelle.lightcurve.blocks import fit_salt_blocks
    from chandelle.lightcurve.ingest import cross_match, read_lightcurves
    from chandelle.lightcurve.stage import fit_salt
    from chandelle.physics.salt import load_salt
    from chandelle.pipeline.run import run
    from chandelle.products.diagram import Diagram
    from chandelle.products.lightcurves import LightCurves
    from chandelle.products.posterior import Posterior
    from chandelle.products.saltfits import SaltFits
    from chandelle.products.targets import Targets
    from chandelle.simulate.frames.survey import simulate_survey
    from chandelle.simulate.sample import simulate_lightcurves
    from chandelle.standardization.stage import standardize

_HOMES = {
    "Diagram": "chandelle.products.diagram",
    "LightCurves": "chandelle.products.lightcurves",
    "Posterior": "chandelle.products.posterior",
    "SaltFits": "chandelle.products.saltfits",
    "Targets": "chandelle.products.targets",
    "cross_match": "chandelle.lightcurve.ingest",
    "fit_cosmology": "chandelle.cosmology.stage",
    "fit_salt": "chandelle.lightcurve.stage",
    "fit_salt_blocks": "chandelle.lightcurve.blocks",
    "load_passband": "chandelle.instrument.passbands",
    "load_salt": "chandelle.physics.salt",
    "map": "chandelle.compute.maps",
    "measure_scaling": "chandelle.compute.scaling",
    "new_client": "chandelle.compute.clients",
    "read_lightcurves": "chandelle.lightcurve.ingest",
    "run": "chandelle.pipeline.run",
    "simulate_lightcurves": "chandelle.simulate.sample",
    "simulate_survey": "chandelle.simulate.frames.survey",
    "standardize": "chandelle.standardization.stage",
}

__all__ = [
    "Diagram",
    "LightCurves",
    "Posterior",
    "SaltFits",
    "Targets",
    "cross_match",
    "fit_cosmology",
    "fit_salt",
    "fit_salt_blocks",
    "load_passband",
    "load_salt",
    "map",
    "measure_scaling",
    "new_client",
    "read_lightcurves",
    "report",
    "run",
    "simulate_lightcurves",
    "simulate_survey",
    "standardize",
]


def __getattr__(name: str) -> Any:
    if name == "report":
        return import_module("chandelle.report")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'chandelle' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
