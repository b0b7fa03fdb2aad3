"""Derivatives of the answers by calibration against central differences of refits.

Refits under a model covariance rest within 1e-3 sigma, as much as a small step of calibration
moves them; here they go on to 1e-7 sigma.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest

from chandelle.instrument.passbands import load_passband
from chandelle.lightcurve.fitting import lanes, newton
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.saltfits import SaltFits

NAMES = ("t0", "x0", "x1", "c")
BANDS = ("lsstg", "ztfr")
CASES: dict[str, dict[str, Any]] = {
    "plain": {"factor": False, "model_cov": False},
    "factor and model": {"factor": True, "model_cov": True},
    "at a bound": {"factor": False, "model_cov": False, "bounds": {"c": (-0.3, 0.05)}},
    "free redshift": {"factor": False, "model_cov": True, "free": ("z",)},
    "free dust": {"factor": True, "model_cov": False, "free": ("host_ebv",)},
    "free both": {"factor": False, "model_cov": False, "free": ("z", "host_ebv")},
}


@pytest.fixture(scope="module", autouse=True)
def to_the_end():
    """Refits of the JAX engine until nothing moves, without the rules that make them end early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "AT_REST_SIGMA", 1e-7)
        patch.setattr(lanes, "AT_REST_SIGMA_LATE", 1e-7)
        patch.setattr(lanes, "SETTLING_ROUND", 100)
        patch.setattr(lanes, "MAX_ROUNDS", 60)
        yield


class Calibrated:
    """A sample that can be refitted under changes of its calibration."""

    def __init__(self, lcs: LightCurves, *, factor: bool, model_cov: bool, **how: Any) -> None:
        self.lcs, self.how = lcs, {"model_cov": model_cov, **how}
        self.how["engine"] = "jax" if model_cov or "free" in how else "cpu"
        self.names = (*NAMES, *how.get("free", ()))
        # A redshift that is off, and dust that three bands alone do not tell from color.
        z = lcs.targets["z_hel"]
        priors = {"z": (z + 0.005, np.full(len(z), 0.01)), "host_ebv": (0.3, 0.1)}
        self.how["priors"] = {name: priors[name] for name in self.names[4:]}
        self.band, error = lcs["band"].astype(str), lcs["flux_err"]
        shared = [np.where(self.band == name, 0.6 * error, 0.0) for name in np.unique(self.band)]
        shared.append(0.5 * error * np.sin(lcs["mjd"]))
        self.factor = np.stack(shared, axis=1) if factor else np.zeros((len(lcs), 0))
        flux = lcs["flux"]
        self.mode = np.where(np.isin(self.band, BANDS), 0.01 * flux, 0.003 * flux.std())
        with_mode = lcs.with_modes(["mode"], self.mode[:, None])
        self.fits = self.fit(with_mode, self.factor, derivatives=True)

    def fit(self, lcs: LightCurves, factor: np.ndarray, **options) -> SaltFits:
        if factor.shape[1]:
            lcs = lcs.with_covariance(factor=factor)
        fits = fit_salt(lcs, **self.how, **options)
        assert (fits["status"] == "ok").all(), fits["status"]
        return fits

    def with_fluxes(self, flux: np.ndarray, scale: np.ndarray) -> SaltFits:
        """Refit with other fluxes, their errors and covariance scaled."""
        table = self.lcs.table
        for name, values in (("flux", flux), ("flux_err", self.lcs["flux_err"] * scale)):
            at = table.column_names.index(name)
            table = table.set_column(at, table.schema.field(at), [values])
        moved = dataclasses.replace(self.lcs, table=table)
        return self.fit(moved, self.factor * scale[:, None])

    def slopes(self, name: str, column: str) -> np.ndarray:
        """Derivatives by one band or mode, shape (sn, param)."""
        by_band = self.fits.meta.provenance["derivative_bands"]
        names = ["mode"] if name == "dtheta_dmode" else by_band
        values = self.fits[name].reshape(len(self.fits), len(names), -1)
        return values[:, names.index(column)]

    @property
    def is_held(self) -> np.ndarray:
        """Whether color stands at its upper bound, shape (sn,)."""
        return self.fits["c"] == self.how.get("bounds", {}).get("c", (0.0, np.inf))[1]

    @property
    def is_dustless(self) -> np.ndarray:
        """Whether dust of the host stands at zero, shape (sn,)."""
        dust = self.fits["host_ebv"] if "host_ebv" in self.names else np.ones(len(self.fits))
        return dust == 0.0

    @property
    def move(self) -> float:
        """How far a step moves some answer [sigma]: far above the noise of the refits.

        No more, since phases that come to lie in another cell of the model bend the answer. Where
        the redshift moves too, wavelengths soon do so: steps of 1e-4 are off by up to 0.6 %.
        """
        return 3e-5 if "z" in self.names else 3e-3

    def step(self, slope: np.ndarray) -> float:
        """A step that moves some answer by `move`."""
        return float(self.move / np.abs(slope / self.sigma).max())

    @property
    def sigma(self) -> np.ndarray:
        """Errors of the answers, shape (sn, param)."""
        columns = ["z_fit_err" if name == "z" else f"{name}_err" for name in self.names]
        return np.stack([self.fits[column] for column in columns], axis=1)

    def check(self, slope: np.ndarray, minus: SaltFits, plus: SaltFits, step: float) -> None:
        """Hold the refits to within 1/300 of `move` of the slope."""
        for fits in (minus, plus):
            assert (fits["ndof"] == self.fits["ndof"]).all(), "the same epochs are fitted"
        moved = np.stack([plus[name] - minus[name] for name in self.names], axis=1) / 2.0
        np.testing.assert_allclose(
            slope * step / self.sigma, moved / self.sigma, atol=self.move / 300
        )


def case(name: str) -> Any:
    """A case as a parameter; kernels with a free redshift take a minute to compile."""
    return pytest.param(
        name, marks=[pytest.mark.slow] if name not in ("plain", "at a bound") else []
    )


@pytest.fixture(scope="module", params=[case(name) for name in CASES])
def sample(request, draw) -> Iterator[Calibrated]:
    epochs, targets = draw(8, seed=6)
    if request.param == "free both":
        # Its dust, color and redshift are told apart so badly that the fit does not converge.
        epochs, targets = epochs[epochs.sn != "sn004"], targets[targets.sn != "sn004"]
    lcs, how = read_lightcurves(epochs, targets=targets), CASES[request.param]
    if "z" not in how.get("free", ()):
        yield Calibrated(lcs, **how)
        return
    # So small a step asks for answers nearer to the minimum than a fit goes.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newton, "EDM_TOLERANCE", 1e-18)
        jax.clear_caches()
        yield Calibrated(lcs, **how)
    jax.clear_caches()


@pytest.mark.parametrize("band", BANDS)
def test_zero_point_derivative_is_that_of_refits(sample: Calibrated, band: str) -> None:
    slope, fits = sample.slopes("dtheta_dzp", band), []
    step = sample.step(slope)
    for sign in (-1, 1):
        # A brighter zero point makes fluxes, errors and their covariance smaller together.
        scale = np.where(sample.band == band, 10 ** (-0.4 * sign * step), 1.0)
        fits.append(sample.with_fluxes(sample.lcs["flux"] * scale, scale))
    sample.check(slope, *fits, step)


@pytest.mark.parametrize("band", BANDS)
def test_wavelength_derivative_is_that_of_refits(sample: Calibrated, band: str) -> None:
    """The AB fluxes stay; model fluxes and, where there is one, the model covariance move."""
    slope, fits, curve = sample.slopes("dtheta_dlambda", band), [], load_passband(band)
    step = sample.step(slope)
    for sign in (-1, 1):
        moved = Passband(name=band, wave=curve.wave + sign * step, transmission=curve.transmission)
        lcs = dataclasses.replace(sample.lcs, passbands={band: moved})
        fits.append(sample.fit(lcs, sample.factor))
    sample.check(slope, *fits, step)


def test_mode_derivative_is_that_of_refits(sample: Calibrated) -> None:
    slope, flux = sample.slopes("dtheta_dmode", "mode"), sample.lcs["flux"]
    step = sample.step(slope)
    one = np.ones_like(flux)
    fits = [sample.with_fluxes(flux + sign * step * sample.mode, one) for sign in (-1, 1)]
    sample.check(slope, *fits, step)


def test_a_band_that_a_supernova_lacks_does_not_move_it(sample: Calibrated) -> None:
    for name in ("dtheta_dzp", "dtheta_dlambda"):
        slope = sample.slopes(name, "lsstg")
        without = ~np.isin(sample.fits["sn"], sample.lcs["sn"][sample.band == "lsstg"])
        assert without.any()
        assert (slope[without] == 0.0).all()
        free = ~(without | sample.is_held | sample.is_dustless)
        assert free.sum() > 1
        assert (slope[free] != 0.0).all()


def test_a_parameter_that_its_bound_holds_stays(sample: Calibrated) -> None:
    is_held = sample.is_held
    assert is_held.any() == ("bounds" in sample.how)
    assert not is_held.all()
    for by in ("zp", "lambda", "mode"):
        slope = sample.fits.derivative(by)
        assert slope.shape[2] == len(sample.names)
        assert (slope[is_held, :, 3] == 0.0).all()
        assert (slope[is_held, :, :3] != 0.0).any(axis=(1, 2)).all()
        assert (slope[~is_held, :, 3] != 0.0).any(axis=1).all()
        if "host_ebv" in sample.names:
            moves = (slope[:, :, sample.names.index("host_ebv")] != 0.0).any(axis=1)
            np.testing.assert_array_equal(moves, ~sample.is_dustless)
