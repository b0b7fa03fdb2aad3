"""One survey of a sample, drawn step by step: log, supernovae, light curves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.instrument.camera_files import load_camera
from chandelle.products.exposures import Exposures
from chandelle.products.lightcurves import LightCurves
from chandelle.products.targets import Targets
from chandelle.simulate.draw_targets import DAYS_OF_YEAR, draw_targets
from chandelle.simulate.footprint import AbstractFootprint, Rectangle, cones
from chandelle.simulate.logs.coverage import FieldOfView, camera_view, disk
from chandelle.simulate.logs.deep import DEEP_LOG, HSC_LOG
from chandelle.simulate.logs.fields import Fields
from chandelle.simulate.logs.lsst import LSST_LOG
from chandelle.simulate.logs.make import log_clouds, make_log
from chandelle.simulate.logs.read_log import read_exposures
from chandelle.simulate.logs.settings import LogSettings
from chandelle.simulate.logs.ztf import ZTF_LOG
from chandelle.simulate.observing import Observing, observe_targets
from chandelle.simulate.piece import near_name
from chandelle.simulate.population_settings import population_of
from chandelle.simulate.rate import PowerLawRate
from chandelle.simulate.selection import lottery
from chandelle.simulate.settings import SampleSettings, SurveySettings
from chandelle.simulate.templates import TimeSeries, read_templates
from chandelle.simulate.truth import Truth

LOGS: Mapping[str, LogSettings] = {
    "ztf": ZTF_LOG,
    "deep": DEEP_LOG,
    "hsc": HSC_LOG,
    "lsst": LSST_LOG,
}
"""Kinds of logs by the name that settings give them."""
_SPARE, _MOST_TRIES, _BATCH = 30, 300, 20_000
"""Supernovae drawn beyond those asked for; how many may be drawn for one; observed at a time."""


@dataclass(frozen=True, kw_only=True)
class SurveySimulation:
    """One survey of a sample, drawn step by step; each step depends on the seed alone.

    Attributes
    ----------
    sample : SampleSettings
        Universe and supernovae.
    name : str
        Of the survey.
    seed : int
        Root of all random numbers.
    """

    sample: SampleSettings
    name: str
    seed: int

    @cached_property
    def settings(self) -> SurveySettings:
        """Of the survey."""
        return self.sample.survey(self.name)

    @cached_property
    def made_log(self) -> LogSettings | None:
        """Settings of a log that is drawn; None for one that is read."""
        kind = LOGS.get(self.settings.log)
        if kind is None or self.settings.first_night is None:
            return kind
        return replace(kind, first_night=self.settings.first_night)

    @cached_property
    def templates(self) -> dict[str, TimeSeries]:
        """Spectra of the classes that are not type Ia."""
        return read_templates(self.sample.population.templates)

    def exposures(self) -> Exposures:
        """Draw or read the log.

        Raises
        ------
        InputError
            If there is neither such a kind nor such a file, or no exposure in it.
        """
        if self.made_log is None:
            return self._read_log()
        if self.settings.nights < 1:
            raise InputError(f"{self.name}: nights: give how many nights of {self.settings.log}")
        log = make_log(self.made_log, seed=self.seed, nights=self.settings.nights)
        if not self.settings.group:
            return log
        fields = self.made_log.fields
        of_group = fields.number[fields.group == self.settings.group]
        chosen = log.select(np.isin(log["field"], of_group))
        if not len(chosen):
            raise InputError(
                f"{self.name}: no exposure of fields of group {self.settings.group}; "
                f"{self.settings.log} has {', '.join(sorted(set(fields.group)))}"
            )
        return chosen

    def _read_log(self) -> Exposures:
        path = Path(self.settings.log)
        if not path.suffix:
            raise InputError(
                f"{self.name}: no log {path}{near_name(str(path), LOGS)}; or give a file of "
                "exposures (.parquet, .csv)"
            )
        bands = {name: own or None for name, own in self.settings.bands.items()}
        return read_exposures(path, survey=self.name, bands=bands)

    def view(self) -> FieldOfView:
        """Field of view of the camera."""
        if self.settings.camera:
            return camera_view(load_camera(self.settings.camera))
        return disk(self.settings.radius_deg)

    def footprint(self, exposures: Exposures) -> AbstractFootprint:
        """Where supernovae are drawn."""
        if self.made_log is not None:
            return self._footprint_of_fields(self.made_log.fields)
        return self._footprint_about(*self._centers(exposures))

    def _centers(self, exposures: Exposures) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean pointings of the fields of a log that was read."""
        ra, dec = np.radians(exposures["ra"]), np.radians(exposures["dec"])
        directions = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
        _, owner = np.unique(exposures["field"], return_inverse=True)
        sums = np.stack([np.bincount(owner, weights=axis) for axis in directions])
        means = sums / np.linalg.norm(sums, axis=0)
        apart = np.degrees(np.arccos(np.clip((directions * means[:, owner]).sum(0), -1.0, 1.0)))
        if self.settings.footprint is None and apart.max() > self.view().radius:
            raise InputError(
                f"{self.settings.log}: exposures of one field are up to {apart.max():.1f} deg from "
                "its center; give the log a column field, or the survey a footprint"
            )
        longitude = np.degrees(np.arctan2(means[1], means[0])) % 360.0
        return longitude, np.degrees(np.arcsin(means[2]))

    def _footprint_of_fields(self, fields: Fields) -> AbstractFootprint:
        group = self.settings.group
        kept = fields.select(fields.group == group) if group else fields
        return self._footprint_about(kept.ra, kept.dec)

    def _footprint_about(
        self, ra: NDArray[np.float64], dec: NDArray[np.float64]
    ) -> AbstractFootprint:
        if self.settings.footprint is not None:
            return Rectangle(*self.settings.footprint)
        return cones(ra, dec, radius_deg=self.view().radius)

    def targets(self, exposures: Exposures) -> tuple[Targets, Truth]:
        """Draw the supernovae: as many as the rate gives, or as the number asked for takes.

        Raises
        ------
        InputError
            If the log is too short, or the survey does not find what is asked for.
        """
        mjd, footprint = exposures["mjd"], self.footprint(exposures)
        season = (float(mjd.min()), float(mjd.max()))

        def draw(n: int | None) -> tuple[Targets, Truth]:
            return self._drawn(footprint, season, n)

        if self.settings.n is None:
            return draw(None)
        observing = self.observing(exposures)

        def seen(targets: Targets, truth: Truth) -> NDArray[np.bool_]:
            return self.observe(targets, truth, observing)[1]["is_selected"]

        return self._enough(draw, seen)

    def targets_without_log(self) -> tuple[Targets, Truth]:
        """Draw supernovae that are all found, selected by their magnitude in rest-frame B."""
        made = self.made_log
        if made is None:
            exposures = self.exposures()
            footprint, mjd = self.footprint(exposures), exposures["mjd"]
            season = (float(mjd.min()), float(mjd.max()))
        else:
            footprint = self._footprint_of_fields(made.fields)
            season = (float(made.first_night), float(made.first_night + self.settings.nights))
        rule = self.settings.spectroscopy if self.sample.selection else None

        def draw(n: int | None) -> tuple[Targets, Truth]:
            return self._drawn(footprint, season, n)

        def seen(targets: Targets, truth: Truth) -> NDArray[np.bool_]:
            if rule is None:
                return np.ones(len(truth), bool)
            chance = rule.probability(truth["mb_true"])
            return lottery(targets["sn"].tolist(), seed=self.seed, survey=self.name) < chance

        drawn = draw(None) if self.settings.n is None else self._enough(draw, seen)
        chosen = seen(*drawn)
        return drawn[0].select(chosen), drawn[1].select(chosen)

    def _enough(
        self,
        draw: Callable[[int], tuple[Targets, Truth]],
        seen: Callable[[Targets, Truth], NDArray[np.bool_]],
    ) -> tuple[Targets, Truth]:
        """Draw until as many are seen as the settings ask for; none after the last of them."""
        wanted, is_seen = self.settings.n or 0, np.zeros(0, bool)
        n = wanted + _SPARE
        while True:
            targets, truth = draw(n)
            while len(is_seen) < n and is_seen.sum() < wanted:
                rows = np.arange(len(is_seen), min(len(is_seen) + _BATCH, n))
                is_seen = np.append(is_seen, seen(targets.select(rows), truth.select(rows)))
            found = np.flatnonzero(is_seen)
            if len(found) >= wanted:
                needed = np.arange(found[wanted - 1] + 1 if wanted else 0)
                return targets.select(needed), truth.select(needed)
            if n > _MOST_TRIES * (wanted + _SPARE):
                raise InputError(
                    f"{self.name}: of {n} supernovae {len(found)} are found, {wanted} were asked "
                    "for; give more nights, another footprint or z_max, or ask for fewer"
                )
            n *= 2 if 2 * len(found) > wanted else 8

    def _drawn(
        self, footprint: AbstractFootprint, season: tuple[float, float], n: int | None
    ) -> tuple[Targets, Truth]:
        """Draw so many supernovae, or as many as the rate gives, that peak in a season."""
        survey, (before, after) = self.settings, self.settings.margin_days
        start, stop = season[0] + before, season[1] - after
        if stop <= start:
            raise InputError(
                f"{self.name}: no day is {before:g} d after the first exposure and {after:g} d "
                "before the last; give more nights or smaller margin_days"
            )
        return draw_targets(
            population_of(self.sample.population),
            z_min=survey.z_min,
            z_max=survey.z_max,
            rate=PowerLawRate(survey.rate.r0, survey.rate.power),
            footprint=footprint,
            years=(stop - start) / DAYS_OF_YEAR,
            n=n,
            mjd_start=start,
            seed=self.seed,
            cosmology=self.sample.cosmology.cosmology,
            survey=self.name,
            model=self.sample.model,
        )

    def observing(self, exposures: Exposures) -> Observing:
        """Say how the survey observes: once for all that is observed with a log."""
        survey, made = self.settings, self.made_log
        return Observing(
            exposures=exposures,
            view=self.view(),
            clouds=None if made is None else log_clouds(exposures, made, seed=self.seed),
            detection=survey.detection,
            spectroscopy=survey.spectroscopy,
            needs_spectrum=self.sample.selection,
            modes=self.sample.modes_of(self.name),
            floor=survey.floor,
            templates=self.templates,
        )

    def observe(
        self,
        targets: Targets,
        truth: Truth,
        observing: Observing,
        *,
        threads: int | None = None,
    ) -> tuple[LightCurves, Truth]:
        """Observe some of the supernovae."""
        how = {"seed": self.seed, "survey": self.name, "model": self.sample.model}
        return observe_targets(targets, truth, observing, **how, threads=threads)
