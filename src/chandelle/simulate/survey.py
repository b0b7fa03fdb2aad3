"""Simulated light curves of a near and a far survey, with their truth.

What the analysis does not model is not simulated: no selection on brightness, no scatter of the
SALT model, redshifts without error. So fits use no model covariance (``model_cov=False``), and
everything fitted should agree with what was drawn.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for
from chandelle.core.units import ZP_NJY
from chandelle.physics.salt import SaltModel, load_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets
from chandelle.simulate.cadence import DEEP, ZTF, Survey
from chandelle.simulate.observing import Observed, make_sky, observe_all
from chandelle.simulate.population import Nature
from chandelle.simulate.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSurvey:
    """Light curves and what was drawn for them.

    Attributes
    ----------
    lightcurves : LightCurves
        Of origin "simulated".
    truth : Truth
        One row a supernova, in the order of the targets.
    nature : Nature
        What is true of all.
    """

    lightcurves: LightCurves
    truth: Truth
    nature: Nature

    def write(self, folder: str | Path) -> None:
        """Write `lightcurves/` and `truth.parquet` into a folder."""
        self.lightcurves.write(Path(folder) / "lightcurves")
        self.truth.write(Path(folder) / "truth.parquet")


def simulate_lightcurves(
    *,
    seed: int = 1,
    n_low: int = 500,
    n_high: int = 500,
    nature: Nature | None = None,
    model: str | Path = "salt3-f22",
) -> SimulatedSurvey:
    """Simulate light curves of a ZTF-like and an SNLS- and HSC-like survey, with their truth.

    Each supernova has a random key of its own, named after it: the first hundred are the same
    whether a hundred or a thousand are drawn.

    Parameters
    ----------
    seed : int
        Root of all random numbers.
    n_low : int
        Supernovae at 0.015 < z < 0.1 in ZTF g r i.
    n_high : int
        Supernovae at 0.1 < z < 0.8 in g r i z, LSST passbands standing in.
    nature : Nature, optional
        True parameters.
    model : str or Path
        SALT model, as `load_salt` takes it.

    Returns
    -------
    SimulatedSurvey
        `.lightcurves`, `.truth`, `.nature`.

    Raises
    ------
    InputError
        If a number is negative, or both are zero.

    Examples
    --------
    >>> survey = simulate_lightcurves(n_low=2, n_high=1)
    >>> survey.truth["sn"].tolist()
    ['ZTF0000', 'ZTF0001', 'DEEP0000']
    """
    require_x64()
    if min(n_low, n_high) < 0 or n_low + n_high == 0:
        raise InputError(f"n_low and n_high must be >= 0 and not both 0, got {n_low}, {n_high}")
    nature = nature or Nature()
    salt = load_salt(model)
    drawn = [
        _draw(survey, n, nature, salt, seed=seed)
        for survey, n in ((ZTF, n_low), (DEEP, n_high))
        if n
    ]
    facts = {"seed": seed, "n_low": n_low, "n_high": n_high, "model": str(model)}
    meta = Meta(origin="simulated", provenance={"simulation": facts, "nature": asdict(nature)})

    def joined(part: str) -> pa.Table:
        return pa.concat_tables([each[part] for each in drawn])

    targets = Targets(table=joined("targets"), meta=meta)
    return SimulatedSurvey(
        lightcurves=LightCurves(table=joined("epochs"), targets=targets, meta=meta),
        truth=Truth(table=joined("truth"), meta=meta),
        nature=nature,
    )


def _draw(
    survey: Survey, n: int, nature: Nature, salt: SaltModel, *, seed: int
) -> dict[str, pa.Table]:
    """Draw the supernovae of one survey and lay them out as tables."""
    root = key_for(seed, "lightcurves", survey.name)
    names = [f"{survey.name}{i:04d}" for i in range(n)]
    sky = make_sky(survey, nature, salt, key=key_for(root, "weather"))
    observed = observe_all(sky, nature, names, root=key_for(root, "supernova"))
    return {
        "epochs": _epochs(survey, np.asarray(names), observed),
        "targets": _targets(survey, names, nature, observed),
        "truth": _truth(survey, names, observed),
    }


def _epochs(survey: Survey, names: np.ndarray, observed: Observed) -> pa.Table:
    """Visits that were taken, in order of supernova and time."""
    taken = np.asarray(observed.visits.is_taken)
    mjd = np.asarray(observed.visits.mjd)
    rows, columns = np.nonzero(taken)
    order = np.lexsort((mjd[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    mjd = mjd[rows, columns]
    bands = np.asarray([band.band for band in survey.bands])
    band = bands[np.asarray(observed.visits.band)[rows, columns]]
    nights = np.floor(mjd).astype(int).astype(str)
    prefix = f"{survey.name}-"
    return table_from_columns(
        {
            "sn": names[rows],
            "mjd": mjd,
            "band": band,
            "flux": np.asarray(observed.flux)[rows, columns],
            "flux_err": np.asarray(observed.flux_err)[rows, columns],
            "zp": np.full(len(rows), ZP_NJY),
            "exposure": np.char.add(np.char.add(np.char.add(prefix, nights), "-"), band),
        }
    )


def _targets(survey: Survey, names: list[str], nature: Nature, observed: Observed) -> pa.Table:
    """What an observer knows of each supernova."""
    drawn = observed.supernova
    z = np.asarray(drawn.z_obs)
    columns: dict[str, Any] = {
        "sn": names,
        "ra": np.asarray(drawn.ra),
        "dec": np.asarray(drawn.dec),
        "z_hel": z,
        "z_cmb": z,
        "z_hd": z,
        "z_err": np.zeros(len(z)),
        "mwebv": np.asarray(drawn.mwebv),
        "class": ["SN Ia"] * len(z),
        "survey": [survey.name] * len(z),
        "host_logmass": np.asarray(drawn.logmass_obs),
        "host_logmass_err": np.full(len(z), nature.logmass_err),
    }
    return table_from_columns(columns)


def _truth(survey: Survey, names: list[str], observed: Observed) -> pa.Table:
    """What was drawn."""
    drawn, state = observed.supernova, observed.state
    columns: dict[str, Any] = {
        "sn": names,
        "t0_true": np.asarray(state.t0),
        "x0_true": np.asarray(state.x0),
        "x1_true": np.asarray(state.x1),
        "c_true": np.asarray(state.c),
        "mb_true": np.asarray(drawn.mb),
        "mu_true": np.asarray(drawn.mu),
        "z_cos_true": np.asarray(drawn.z_cos),
        "vpec_true": np.asarray(drawn.vpec),
        "host_logmass_true": np.asarray(drawn.logmass),
        "survey": [survey.name] * len(names),
    }
    return table_from_columns(columns)
