"""The products of a run, given or read from its folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.products.diagram import Diagram
from chandelle.products.lightcurves import LightCurves
from chandelle.products.posterior import Posterior
from chandelle.products.product import Product
from chandelle.products.saltfits import SaltFits

_PARTS = (
    "lightcurves/",
    "saltfits/fits.parquet",
    "diagram/",
    "posterior/",
    "truth.parquet",
    "config.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The products of a run, any of which may be absent."""

    lightcurves: LightCurves | None = None
    fits: SaltFits | None = None
    diagram: Diagram | None = None
    posterior: Posterior | None = None
    truth: pa.Table | None = None
    true_parameters: Mapping[str, float] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None

    @property
    def products(self) -> dict[str, Product | Posterior]:
        """Those that are there, by name."""
        named = {
            "light curves": self.lightcurves,
            "SALT fits": self.fits,
            "diagram": self.diagram,
            "posterior": self.posterior,
        }
        return {name: product for name, product in named.items() if product is not None}


def load_run(folder: str | Path) -> dict[str, Any]:
    """Read the products of a run, as far as they exist, as the arguments of `write_report`.

    Parameters
    ----------
    folder : str or Path
        Holds some of `lightcurves/`, `saltfits/fits.parquet`, `diagram/`, `posterior/`,
        `truth.parquet` (columns sn and `*_true`), `config.json`.

    Returns
    -------
    dict
        Keys lightcurves, fits, diagram, posterior, truth, config; absent ones are None.

    Raises
    ------
    InputError
        If none of them is there, or one cannot be read.
    """
    require_x64()
    folder = Path(folder)
    path = {part.rstrip("/"): folder / part for part in _PARTS}
    if not any(place.exists() for place in path.values()):
        raise InputError(f"{folder}: expected a run, one of {', '.join(_PARTS)}; found none")

    def read(part: str, reader: Any) -> Any:
        return reader(path[part]) if path[part].exists() else None

    return {
        "lightcurves": read("lightcurves", LightCurves.read),
        "fits": read("saltfits/fits.parquet", SaltFits.read),
        "diagram": read("diagram", Diagram.read),
        "posterior": read("posterior", Posterior.read),
        "truth": read("truth.parquet", pq.read_table),
        "config": read("config.json", _read_json),
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: expected JSON, {error}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected a table of settings, got {type(config).__name__}")
    return config
