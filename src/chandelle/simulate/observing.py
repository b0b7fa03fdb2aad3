"""Light curves: targets, seen by the exposures of a log, with their noise and their selection."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for, keys_for
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.physics.salt import SaltModel, load_salt
from chandelle.products.exposures import Exposures
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.schema import table_from_columns, text_of
from chandelle.products.targets import Targets
from chandelle.simulate.chromatic import SCATTER_NODES, SCATTER_WAVES
from chandelle.simulate.curves import SaltSample, covers, true_fluxes
from chandelle.simulate.logs.coverage import FieldOfView, Visits, visits_in_parts
from chandelle.simulate.measurement import measure
from chandelle.simulate.modes import CalibrationModes, mode_derivatives, moved
from chandelle.simulate.selection import Detection, Spectroscopy, lottery
from chandelle.simulate.templates import TimeSeries, template_fluxes
from chandelle.simulate.truth import Truth

Floats = NDArray[np.float64]
PHASES = (-18.0, 45.0)
"""Rest-frame days from maximum that are kept: off the ends of the model, where its flux jumps."""
_PEAK_PHASES = np.arange(-6.0, 7.0, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observing:
    """How a survey observes.

    Attributes
    ----------
    exposures : Exposures
        Its log.
    view : FieldOfView
        Of its camera.
    clouds : array, shape (exposure, coefficient), optional
        As `log_clouds` gives them.
    detection : Detection
        Who is found.
    spectroscopy : Spectroscopy, optional
        Who is observed by a spectrograph; all if absent.
    needs_spectrum : bool
        Whether those without a spectrum are left out; their chance is in the truth anyhow.
    modes : CalibrationModes
        Errors of its zero points.
    phases : tuple of float, d
        Rest-frame days from maximum that are kept.
    floor : mapping of str to float
        Part of the flux that epochs of a passband scatter by, however bright; none if not named.
    templates : mapping of str to TimeSeries
        Spectra of the classes that are not type Ia.
    """

    exposures: Exposures
    view: FieldOfView
    clouds: Floats | None = None
    detection: Detection = field(default_factory=Detection)
    spectroscopy: Spectroscopy | None = None
    needs_spectrum: bool = True
    modes: CalibrationModes = field(default_factory=CalibrationModes)
    phases: tuple[float, float] = PHASES
    templates: Mapping[str, TimeSeries] = field(default_factory=dict)
    floor: Mapping[str, float] = field(default_factory=dict)

    @property
    def bands(self) -> tuple[str, ...]:
        """Passbands of the log, in order of their names."""
        return tuple(sorted(set(self.exposures["band"].tolist())))

    def record(self) -> dict[str, Any]:
        """Settings as plain values; exposures, clouds and camera are told of elsewhere."""
        return {
            "phases": list(self.phases),
            "floor": dict(self.floor),
            "detection": asdict(self.detection),
            "spectroscopy": asdict(self.spectroscopy) if self.spectroscopy else None,
            "needs_spectrum": self.needs_spectrum,
            "templates": {kind: series.name for kind, series in self.templates.items()},
        }


def observe_targets(
    targets: Targets,
    truth: Truth,
    observing: Observing,
    *,
    seed: int = 1,
    survey: str = "SN",
    model: str | Path = "salt3-f22",
    threads: int | None = None,
) -> tuple[LightCurves, Truth]:
    """Observe supernovae with the exposures of a log.

    The noise of an epoch belongs to the pair of its supernova and its exposure: nothing changes
    where others are observed too, or in parts. Epochs in passbands that the model does not cover
    at a redshift are left out.

    Parameters
    ----------
    targets, truth : Targets, Truth
        Rows of the same supernovae, of `draw_targets` or with its columns.
    observing : Observing
        Log, camera, selection, errors of the zero points.
    seed : int
        Root of all random numbers.
    survey : str
        Goes into the random keys.
    model : str or Path
        SALT model, as `load_salt` takes it: that which x0 of the truth is of.
    threads : int, optional
        One a core if absent; the answer does not depend on it.

    Returns
    -------
    LightCurves
        Of the supernovae that are selected.
    Truth
        Of all, with the columns `peak_mag_true` (in the brightest passband of the spectroscopy),
        `n_detections`, `is_found`, `p_spectrum` (the chance of a spectrum) and `is_selected`.

    Raises
    ------
    InputError
        If truth and targets are of others, a supernova has no SALT parameters or is beyond the
        model in every passband, or a mode is of an unknown passband.
    """
    require_x64()
    others = _of_templates(targets, truth, observing.templates)
    sky = _Sky(observing=observing, salt=load_salt(model), threads=threads, others=others)
    sample = salt_sample(targets, truth, others)
    observing.modes.check()
    epochs = _visited(sky, targets, sample)
    names = targets["sn"].tolist()
    amplitudes = observing.modes.draw(seed)
    exact, peak = sky.exact(sample, epochs)
    flux, flux_err = measure(
        moved(exact, sky.modes, amplitudes, epochs.band),
        epochs.visits,
        observing.exposures,
        keys_for(key_for(seed, "epochs", survey), names),
        clouds=observing.clouds,
        floor=np.array([observing.floor.get(band, 0.0) for band in sky.bands])[epochs.band],
    )
    counts = observing.detection.count(flux, flux_err, epochs.first)
    is_found = counts >= observing.detection.epochs
    rule = observing.spectroscopy
    chance = np.ones(len(names)) if rule is None else rule.probability(peak)
    is_selected = is_found.copy()
    if rule is not None and observing.needs_spectrum:
        is_selected &= lottery(names, seed=seed, survey=survey) < chance
    lightcurves = _lightcurves(sky, targets, epochs, flux, flux_err, is_selected)
    drawn = dict(zip(observing.modes.names, amplitudes.tolist(), strict=True))
    columns = {
        "peak_mag_true": peak,
        "n_detections": counts,
        "is_found": is_found,
        "p_spectrum": chance,
        "is_selected": is_selected,
    }
    return lightcurves, _with_columns(truth, columns, modes=drawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Epochs:
    """Pairs of supernova and exposure that are kept, by supernova and time."""

    visits: Visits
    mjd: Floats
    band: NDArray[np.int64]
    first: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Sky:
    """What all supernovae of a survey share."""

    observing: Observing
    salt: SaltModel
    threads: int | None
    others: Mapping[int, tuple[TimeSeries, float]]
    """Template and peak magnitude of the targets that are not of type Ia, by row."""

    @cached_property
    def bands(self) -> tuple[str, ...]:
        return self.observing.bands

    @cached_property
    def passbands(self) -> list[Passband]:
        return [load_passband(band) for band in self.bands]

    @cached_property
    def modes(self) -> Floats:
        return self.observing.modes.table(self.bands)

    def covers(self, z: Floats) -> NDArray[np.bool_]:
        """Whether the model has a passband at a redshift, shape (sn, band)."""
        wave = np.tile(np.asarray(self.salt.surfaces.wave)[[0, -1]], (len(z), 1))
        for row, (series, _) in self.others.items():
            wave[row] = series.wave[[0, -1]]
        return covers(wave, self.passbands, z)

    def peak_epochs(self, sample: SaltSample) -> tuple[Floats, NDArray[np.int64]]:
        """Times about maximum, shape (sn, epoch), and the passbands of the selection they are in.

        Raises
        ------
        InputError
            If the survey does not observe one of them.
        """
        wanted = (self.observing.spectroscopy or Spectroscopy()).bands or self.bands
        unknown = sorted(set(wanted) - set(self.bands))
        if unknown:
            raise InputError(
                f"spectroscopy: no band {', '.join(unknown)}; the survey observes "
                f"{', '.join(self.bands)}"
            )
        rows = np.array([self.bands.index(band) for band in wanted])
        times = sample.t0[:, None] + (1.0 + sample.z[:, None]) * _PEAK_PHASES
        return np.tile(times, (1, len(rows))), np.repeat(rows, len(_PEAK_PHASES))

    def exact(self, sample: SaltSample, epochs: "_Epochs") -> tuple[Floats, Floats]:
        """True fluxes of the epochs [nJy], and magnitudes at maximum: each table is made once."""
        times, rows = self.peak_epochs(sample)
        n_peak, counts = len(rows), np.diff(epochs.first)
        first = np.concatenate([[0], np.cumsum(counts + n_peak)])
        mjd, band = np.empty(first[-1]), np.empty(first[-1], dtype=np.int64)
        is_peak = np.zeros(first[-1], dtype=bool)
        is_peak[(first[1:, None] - n_peak + np.arange(n_peak)).ravel()] = True
        mjd[~is_peak], band[~is_peak] = epochs.mjd, epochs.band
        mjd[is_peak], band[is_peak] = times.ravel(), np.tile(rows, len(sample))
        flux = true_fluxes(
            self.salt,
            self.passbands,
            sample,
            mjd=mjd,
            band=band,
            first=first,
            threads=self.threads,
        )
        for row, (series, peak_mag) in self.others.items():
            own = slice(first[row], first[row + 1])
            flux[own] = template_fluxes(
                series,
                self.passbands,
                z=float(sample.z[row]),
                t0=float(sample.t0[row]),
                peak_mag=peak_mag,
                mwebv=float(sample.mwebv[row]),
                mjd=mjd[own],
                band=band[own],
            )
        about = flux[is_peak].reshape(len(sample), n_peak)
        shown = np.where(self.covers(sample.z)[:, rows], about, 0.0)
        brightest = shown.max(axis=1, initial=np.finfo(float).tiny)
        return flux[~is_peak], ZP_NJY - 2.5 * np.log10(brightest)


def _of_templates(
    targets: Targets, truth: Truth, templates: Mapping[str, TimeSeries]
) -> dict[int, tuple[TimeSeries, float]]:
    """Template and peak magnitude of each target of a class that has one."""
    if not templates or len(targets) != len(truth):
        return {}
    kinds, peaks = targets["class"].tolist(), truth["mb_true"].tolist()
    return {row: (templates[k], peaks[row]) for row, k in enumerate(kinds) if k in templates}


def salt_sample(
    targets: Targets,
    truth: Truth,
    others: Mapping[int, tuple[TimeSeries, float]] = MappingProxyType({}),
) -> SaltSample:
    """True parameters of the targets; of those of a template no SALT flux."""
    if not np.array_equal(targets["sn"], truth["sn"]):
        raise InputError(
            f"targets and truth must be of the same supernovae in one order, got {len(targets)} "
            f"and {len(truth)}; cut both with the same mask"
        )
    columns = {name: truth[f"{name}_true"] for name in ("t0", "x0", "x1", "c")}
    columns |= {"z": targets["z_hel"], "mwebv": np.nan_to_num(targets["mwebv"])}
    for name in ("x0", "x1", "c"):
        columns[name] = columns[name].copy()
        columns[name][list(others)] = 0.0
    bad = np.flatnonzero(~np.all([np.isfinite(one) for one in columns.values()], axis=0))
    if len(bad):
        raise InputError(
            f"{targets['sn'][bad[0]]}: no light curve without finite z, t0, x0, x1 and c (and "
            f"{len(bad) - 1} others); core-collapse supernovae have none without a template of "
            "their class: give templates=, or targets.select(mask) and truth.select(mask) of those "
            "of type Ia"
        )
    nodes = [f"{name}_true" for name in SCATTER_NODES]
    if not set(nodes) <= set(truth.table.column_names):
        return SaltSample(**columns)
    scatter = np.column_stack([truth[name] for name in nodes])
    return SaltSample(**columns, scatter=scatter, scatter_wave=np.array(SCATTER_WAVES))


def _visited(sky: _Sky, targets: Targets, sample: SaltSample) -> _Epochs:
    """Find the exposures that see each supernova while it shines, in passbands of the model."""
    observing = sky.observing
    is_covered = sky.covers(sample.z)
    blind = np.flatnonzero(~is_covered.any(axis=1))
    if len(blind):
        raise InputError(
            f"{targets['sn'][blind[0]]}: z = {sample.z[blind[0]]:.3f} is beyond the model "
            f"{sky.salt.name} in {', '.join(sky.bands)} (and {len(blind) - 1} others); lower z_max"
        )
    start, stop = (sample.t0 + (1.0 + sample.z) * phase for phase in observing.phases)
    # Pairs come in the order of the log, and are wanted in that of time.
    order = np.argsort(observing.exposures["mjd"], kind="stable")
    log, ra, dec = observing.exposures.select(order), targets["ra"], targets["dec"]
    mjd, band = log["mjd"], np.searchsorted(sky.bands, log["band"].astype(str))
    parts: list[Visits] = []
    for part in visits_in_parts(log, ra, dec, observing.view, start=start, stop=stop):
        keep = is_covered[part.target, band[part.exposure]]
        parts.append(part if keep.all() else part.select(keep))
    visits = Visits.joined(parts)
    return _Epochs(
        visits=replace(visits, exposure=order[visits.exposure]),
        mjd=mjd[visits.exposure],
        band=band[visits.exposure],
        first=np.searchsorted(visits.target, np.arange(len(sample) + 1)),
    )


def _lightcurves(
    sky: _Sky,
    targets: Targets,
    epochs: _Epochs,
    flux: Floats,
    flux_err: Floats,
    is_selected: NDArray[np.bool_],
) -> LightCurves:
    """Light curves of those that are selected."""
    visits, log, modes = epochs.visits, sky.observing.exposures, sky.observing.modes
    kept = np.flatnonzero(is_selected[visits.target])
    columns = {
        "sn": text_of(targets.table["sn"], visits.target[kept]),
        "mjd": epochs.mjd[kept],
        "band": text_of(pa.chunked_array([sky.bands]), epochs.band[kept]),
        "flux": flux[kept],
        "flux_err": flux_err[kept],
        "zp": np.full(len(kept), ZP_NJY),
        "exposure": text_of(log.table["exposure"], visits.exposure[kept]),
    }
    lightcurves = LightCurves(
        table=table_from_columns(columns),
        targets=targets.select(is_selected),
        meta=targets.meta.with_provenance(observing=sky.observing.record()),
    )
    if not modes.names:
        return lightcurves
    derivatives = mode_derivatives(flux[kept], sky.modes, epochs.band[kept])
    return lightcurves.with_modes(modes.names, derivatives)


def _with_columns(truth: Truth, columns: dict[str, NDArray], *, modes: dict[str, float]) -> Truth:
    """Add to the truth who is in the sample, and why."""
    table, added = truth.table, table_from_columns({**columns})
    for name in added.column_names:
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, added[name])
    return replace(truth, table=table, meta=truth.meta.with_provenance(modes_true=modes))
