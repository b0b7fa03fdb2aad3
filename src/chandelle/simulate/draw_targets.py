"""Targets of a survey with their truth: how many, where, when, and what they are."""

from collections.abc import Mapping
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pyarrow as pa
from jaxtyping import Array, Float, Key

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for
from chandelle.physics.distance import Cosmology
from chandelle.physics.salt import load_salt, peak_magnitude_offset
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets
from chandelle.simulate.contaminants import CLASSES, Kinds
from chandelle.simulate.footprint import AbstractFootprint, whole_sky
from chandelle.simulate.piece import real, uniform
from chandelle.simulate.pieces import Population, supernova_keys
from chandelle.simulate.rate import ConstantRate, Rate, RedshiftLaw, expected_count
from chandelle.simulate.sightline import DistanceModulus
from chandelle.simulate.supernovae import supernova_population
from chandelle.simulate.truth import Truth, standard_parameters

DAYS_OF_YEAR = 365.25
_IA = CLASSES[0]
_EVERY = 16
"""Of the nodes of a law of redshifts that are kept with the truth."""
_NEEDED = ("z", "ra", "dec", "t0", "z_cmb", "z_hel", "mu", "mb", "x1", "c", "vpec", "mwebv")
_TRUTH = {
    "t0": "t0_true",
    "x1": "x1_true",
    "c": "c_true",
    "mb": "mb_true",
    "mu": "mu_true",
    "z": "z_cos_true",
    "vpec": "vpec_true",
}
_OBSERVED = ("ra", "dec", "mwebv", "z_cmb", "z_hel", "z_err", "kind")


class PeakTime(eqx.Module):
    """Time of maximum, uniform over the observer's season: a piece, `t0` [MJD].

    Parameters
    ----------
    start : float, d
        MJD of the first day.
    days : float, d
        Length of the season.
    """

    start: Float[Array, ""] = eqx.field(converter=real, default=58200.0)
    days: Float[Array, ""] = eqx.field(converter=real, default=DAYS_OF_YEAR)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw an MJD."""
        return self.start + self.days * uniform(key)


def draw_targets(
    population: Population | None = None,
    *,
    z_max: float,
    z_min: float = 0.0,
    rate: Rate | None = None,
    footprint: AbstractFootprint | None = None,
    years: float = 1.0,
    n: int | None = None,
    mjd_start: float = 58200.0,
    seed: int = 1,
    cosmology: Cosmology | None = None,
    survey: str = "SN",
    model: str | Path = "salt3-f22",
) -> tuple[Targets, Truth]:
    r"""Draw the supernovae that peak in a part of the sky within some years.

    Their number is Poisson with the mean of `expected_count`. Each supernova has a random key of
    its own, of the seed, the survey and its number: the first hundred are the same whether a
    hundred or a million are drawn.

    Parameters
    ----------
    population : Population, optional
        `supernova_population()`; redshift `z`, position `sky`, time `t0` and distance `mu` are
        put in where it has none.
    z_max, z_min : float
        Range of cosmological redshift.
    rate : callable, optional
        Of an array of redshifts [Gpc^-3 yr^-1, rest frame]; `ConstantRate()`.
    footprint : footprint, optional
        Where they lie; `whole_sky()`.
    years : float, yr
        Length of the season, in years of 365.25 days.
    n : int, optional
        So many, instead of a Poisson number.
    mjd_start : float, d
        First day of the season.
    seed : int
        Root of all random numbers.
    cosmology : Cosmology, optional
        Of volumes and distances; flat with Om = 0.3, H0 = 70.
    survey : str
        Begins the names, such as SN000000, and fills the column `survey`.
    model : str or Path
        SALT model that x0 is of, as `load_salt` takes it.

    Returns
    -------
    Targets, Truth
        One row a supernova; all further quantities of the population stand in the truth as
        ``<quantity>_true``. x0, x1 and c of contaminants are NaN.

    Raises
    ------
    InputError
        If `n` is negative, the population lacks a quantity of the tables, or as
        `expected_count` and `Population.draw`.

    Examples
    --------
    >>> targets, truth = draw_targets(n=3, z_max=0.1)
    >>> targets["sn"].tolist()
    ['SN000000', 'SN000001', 'SN000002']
    >>> bool((abs(truth["mb_true"] - truth["mu_true"] + 19.3) < 3).all())
    True
    """
    require_x64()
    if n is not None and n < 0:
        raise InputError(f"n must be >= 0, got {n}; leave it out for a Poisson number")
    cosmology = Cosmology(Om=0.3) if cosmology is None else cosmology
    rate = ConstantRate() if rate is None else rate
    footprint = whole_sky() if footprint is None else footprint
    mean = expected_count(
        rate, cosmology, z_min=z_min, z_max=z_max, area_deg2=footprint.area_deg2, years=years
    )
    root = key_for(seed, "targets", survey)
    is_poisson = n is None
    if n is None:
        n = int(jax.random.poisson(key_for(root, "count"), mean))
    law = RedshiftLaw.of(rate, cosmology, z_min=z_min, z_max=z_max)
    base = Population(
        z=law,
        sky=footprint,
        t0=PeakTime(mjd_start, DAYS_OF_YEAR * years),
        mu=DistanceModulus(cosmology),
    )
    whole = _completed(base, supernova_population() if population is None else population)
    drawn = whole.draw(supernova_keys(key_for(root, "supernova"), np.arange(n)))
    facts = {
        "seed": seed,
        "n": n,
        "is_poisson": is_poisson,
        "expected": mean,
        "expected_below": _expected_below(law, mean),
        "z_min": z_min,
        "z_max": z_max,
        "area_deg2": footprint.area_deg2,
        "years": years,
        "mjd_start": mjd_start,
        "model": str(model),
        "cosmology": {name: float(value) for name, value in vars(cosmology).items()},
    }
    known = {name: facts[name] for name in ("seed", "n", "model")}
    described = whole.describe()
    drawn_from = {
        "targets": facts,
        "population": described,
        "truth": standard_parameters(described, facts["cosmology"]),
    }
    text = {
        "sn": [f"{survey}{i:06d}" for i in range(n)],
        "class": _classes(whole, drawn),
        "survey": [survey] * n,
    }
    return (
        Targets(
            table=_table(_known(drawn, n), text),
            meta=Meta(origin="simulated", provenance={"targets": known}),
        ),
        Truth(
            table=_table(_true(drawn, text["class"], model), text),
            meta=Meta(origin="simulated", provenance=drawn_from),
        ),
    )


def _expected_below(law: RedshiftLaw, mean: float) -> dict[str, list[float]]:
    """Mean number of supernovae below some redshifts, for who has the truth alone."""
    rows = slice(None, None, _EVERY)
    return {
        "z": np.asarray(law.z)[rows].tolist(),
        "n": (mean * np.asarray(law.cumulative)[rows]).tolist(),
    }


def _completed(base: Population, population: Population) -> Population:
    """Put a population on top of where and when, and refuse one that lacks a column."""
    whole = base.with_pieces(**population.pieces)
    missing = [name for name in _NEEDED if name not in whole.quantities]
    if missing:
        raise InputError(
            f"targets need {', '.join(missing)}, which the population does not draw; add it "
            "with .with_pieces(...) or begin from supernova_population()"
        )
    return whole


def _classes(population: Population, drawn: Mapping[str, np.ndarray]) -> list[str]:
    """Class of each supernova, by the piece `kind` where there is one."""
    kinds = population.pieces.get("kind")
    if not isinstance(kinds, Kinds):
        return [_IA] * len(drawn["z"])
    return [kinds.classes[i] for i in drawn["kind"].astype(int)]


def _known(drawn: Mapping[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """What an observer knows."""
    nan = np.full(n, np.nan)
    columns = {
        "ra": drawn["ra"],
        "dec": drawn["dec"],
        "z_hel": drawn["z_hel"],
        "z_cmb": drawn["z_cmb"],
        "z_hd": drawn["z_cmb"],
        "z_err": drawn.get("z_err", np.zeros(n)),
        "mwebv": drawn["mwebv"],
        "host_logmass": drawn.get("host_logmass_obs", nan),
        "host_logmass_err": drawn.get("host_logmass_err", nan),
    }
    if "local_color_obs" in drawn:
        columns["local_color"] = drawn["local_color_obs"]
        columns["local_color_err"] = drawn.get("local_color_err", nan)
    return columns


def _true(
    drawn: Mapping[str, np.ndarray], classes: list[str], model: str | Path
) -> dict[str, np.ndarray]:
    """What was drawn: the columns of the product, then all other quantities."""
    is_ia = np.array([name == _IA for name in classes], dtype=bool)
    columns = {column: drawn[name] for name, column in _TRUTH.items()}
    columns["x0_true"] = 10.0 ** (-0.4 * (drawn["mb"] - peak_magnitude_offset(load_salt(model))))
    for column in ("x0_true", "x1_true", "c_true"):
        columns[column] = np.where(is_ia, columns[column], np.nan)
    for name in sorted(drawn):
        is_observed = name in _OBSERVED or name.endswith(("_obs", "_err"))
        if name not in _TRUTH and not is_observed:
            columns[f"{name}_true"] = drawn[name]
    return columns


def _table(columns: dict[str, np.ndarray], text: dict[str, list[str]]) -> pa.Table:
    table = table_from_columns({**columns})
    for name, values in text.items():
        table = table.append_column(name, pa.array(values, type=pa.string()))
    return table
