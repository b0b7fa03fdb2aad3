"""What stands on the sky and when it is looked at: log, supernovae, stars, galaxies."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.instrument.camera import Camera
from chandelle.instrument.passbands import load_passband
from chandelle.physics.salt import SaltModel, load_salt
from chandelle.products.exposures import Exposures
from chandelle.products.product import Meta
from chandelle.products.targets import Targets
from chandelle.simulate.curves import covers, true_fluxes
from chandelle.simulate.draw_targets import DAYS_OF_YEAR, draw_targets
from chandelle.simulate.footprint import fields as field_footprint
from chandelle.simulate.frames.galaxies import draw_galaxies, draw_hosts
from chandelle.simulate.frames.given_log import given_log
from chandelle.simulate.frames.settings import FrameSettings
from chandelle.simulate.frames.star_catalog import draw_stars
from chandelle.simulate.frames.star_motions import position_of
from chandelle.simulate.frames.truth_tables import TrueGalaxies, TrueStars
from chandelle.simulate.frames.unit_tables import TrueFluxes
from chandelle.simulate.logs.coverage import camera_view, visits_of
from chandelle.simulate.logs.fields import Fields
from chandelle.simulate.logs.make import log_clouds, make_log
from chandelle.simulate.logs.night import separation
from chandelle.simulate.logs.pairs import directions
from chandelle.simulate.logs.settings import LogSettings, Program
from chandelle.simulate.observing import PHASES, salt_sample
from chandelle.simulate.piece import near_name
from chandelle.simulate.population_settings import population_of
from chandelle.simulate.rate import PowerLawRate
from chandelle.simulate.survey import LOGS
from chandelle.simulate.truth import Truth

Floats = NDArray[np.float64]
_WIDEST_DEG = 15.0
"""Fields farther apart than that are not one sky."""
_MARGIN_DEG = 0.02
COLOR_BANDS = ("lsstg", "lssti")
"""Passbands whose magnitudes make the color g - i of a source."""
_SURVEY = "SN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """What stands on the sky, and when it is looked at.

    Attributes
    ----------
    exposures : Exposures
        The log.
    targets, supernovae : Targets, Truth
        What an observer knows of the supernovae, and what was drawn.
    fluxes : TrueFluxes
        Of the supernovae in the exposures that see them.
    stars : TrueStars
    galaxies : TrueGalaxies
        Hosts and others.
    """

    exposures: Exposures
    targets: Targets
    supernovae: Truth
    fluxes: TrueFluxes
    stars: TrueStars
    galaxies: TrueGalaxies

    def write(self, folder: Path) -> None:
        """Write a table each into a folder."""
        for part in fields(self):
            getattr(self, part.name).write(folder / f"{part.name}.parquet")

    @classmethod
    def read(cls, folder: Path) -> "Sky":
        """Read what `write` wrote."""
        return cls(
            exposures=Exposures.read(folder / "exposures.parquet"),
            targets=Targets.read(folder / "targets.parquet"),
            supernovae=Truth.read(folder / "supernovae.parquet"),
            fluxes=TrueFluxes.read(folder / "fluxes.parquet"),
            stars=TrueStars.read(folder / "stars.parquet"),
            galaxies=TrueGalaxies.read(folder / "galaxies.parquet"),
        )


SKY_FILES = tuple(f"{part.name}.parquet" for part in fields(Sky))
"""What `Sky.write` writes."""


@dataclass(frozen=True, kw_only=True)
class SkyDrawing:
    """Draws a sky, step by step; each step depends on settings and seed alone.

    Attributes
    ----------
    settings : FrameSettings
        Of the survey.
    seed : int
        Root of all random numbers.
    """

    settings: FrameSettings
    seed: int

    @cached_property
    def camera(self) -> Camera:
        """The part of the camera that is simulated."""
        return self.settings.load_camera()

    @cached_property
    def made_log(self) -> LogSettings | None:
        """Settings of a log that is drawn; None for one that is read."""
        cadence = self.settings.cadence
        kind = LOGS.get(cadence.log)
        if kind is None:
            return None
        if cadence.first_night is not None:
            kind = replace(kind, first_night=cadence.first_night)
        if not cadence.fields:
            return kind
        number = np.arange(1, len(cadence.fields) + 1)
        ra, dec = np.array(cadence.fields, dtype=float).T
        program = Program(bands=cadence.bands, interval_nights=cadence.interval_nights)
        width = float(np.sqrt(self.camera.area_deg2))
        return replace(
            kind,
            fields=Fields(number=number, ra=ra, dec=dec, group=np.full(len(ra), program.group)),
            programs=(program,),
            dither_deg=cadence.dither_deg,
            rotation_deg=0.0,
            field_width=width,
        )

    def exposures(self) -> Exposures:
        """Draw or read the log.

        Raises
        ------
        InputError
            If there is no such log, a band has too few exposures, or as `given_log`.
        """
        cadence = self.settings.cadence
        if self.made_log is not None:
            log = make_log(self.made_log, seed=self.seed, nights=cadence.nights)
        elif Path(cadence.log).suffix:
            log = given_log(Path(cadence.log), self.camera, survey=_SURVEY)
        else:
            raise InputError(
                f"cadence: no log {cadence.log}{near_name(cadence.log, LOGS)}; or give a file of "
                "exposures (.parquet, .csv)"
            )
        return self._first_of(log)

    def _first_of(self, log: Exposures) -> Exposures:
        """The first exposures of each band, as many as are asked for."""
        wanted, bands = self.settings.cadence.exposures_per_band, log["band"].astype(str)
        if wanted is None:
            return log
        kept = np.zeros(len(log), bool)
        for band in sorted(set(bands)):
            rows = np.flatnonzero(bands == band)
            if len(rows) < wanted:
                raise InputError(
                    f"cadence: {len(rows)} exposures in {band}, {wanted} asked for; give more "
                    "nights or a longer log"
                )
            kept[rows[:wanted]] = True
        return log.select(kept)

    def clouds(self, exposures: Exposures) -> Floats | None:
        """Coefficients of the clouds of a log that was drawn; None of one that was read."""
        if self.made_log is None:
            return None
        return log_clouds(exposures, self.made_log, seed=self.seed)

    def supernovae(self, exposures: Exposures) -> tuple[Targets, Truth]:
        """Draw the supernovae.

        Raises
        ------
        InputError
            If the log is too short.
        """
        settings = self.settings.supernovae
        before, after = settings.margin_days
        start, stop = float(exposures["mjd"].min()) + before, float(exposures["mjd"].max()) - after
        if stop <= start:
            raise InputError(
                f"supernovae: no day is {before:g} d after the first exposure and {after:g} d "
                "before the last; give more nights or smaller margin_days"
            )
        corners = self.camera.corners().reshape(-1, 2)
        half_width, half_height = 0.48 * np.ptp(corners, axis=0)
        first = np.unique(exposures["field"], return_index=True)[1]
        return draw_targets(
            population_of(settings.population),
            z_min=settings.z_min,
            z_max=settings.z_max,
            rate=PowerLawRate(settings.rate.r0, settings.rate.power),
            footprint=field_footprint(
                exposures["ra"][first],
                exposures["dec"][first],
                half_width_deg=half_width,
                half_height_deg=half_height,
            ),
            years=(stop - start) / DAYS_OF_YEAR,
            n=settings.n,
            mjd_start=start,
            seed=self.seed,
            cosmology=self.settings.cosmology.cosmology,
            survey=_SURVEY,
            model=settings.model,
        )

    def fluxes(self, targets: Targets, truth: Truth, exposures: Exposures) -> TrueFluxes:
        """Fluxes of the supernovae in the exposures that see them.

        Raises
        ------
        InputError
            If one is beyond the model in a band of the log.
        """
        visits = visits_of(exposures, targets["ra"], targets["dec"], camera_view(self.camera))
        mjd, band = exposures["mjd"][visits.exposure], exposures["band"].astype(str)
        start, stop = (truth["t0_true"] + (1.0 + targets["z_hel"]) * phase for phase in PHASES)
        shines = (mjd >= start[visits.target]) & (mjd <= stop[visits.target])
        visits, mjd = visits.select(shines), mjd[shines]
        model, own = load_salt(self.settings.supernovae.model), sorted(set(band))
        self._check_cover(model, targets, own)
        bands = sorted({*own, *COLOR_BANDS})
        # Each epoch in its own passband and in those of the color.
        words = np.column_stack(
            [band[visits.exposure], *(np.full(len(visits), name) for name in COLOR_BANDS)]
        )
        found = true_fluxes(
            model,
            [load_passband(name) for name in bands],
            salt_sample(targets, truth),
            mjd=np.repeat(mjd, words.shape[1]),
            band=np.searchsorted(bands, words.ravel()),
            first=words.shape[1] * np.searchsorted(visits.target, np.arange(len(targets) + 1)),
        )
        flux, blue, red = found.reshape(words.shape).T
        has_color = (blue > 0.0) & (red > 0.0)
        color = np.full(len(flux), np.nan)
        color[has_color] = -2.5 * np.log10(blue[has_color] / red[has_color])
        return TrueFluxes.from_columns(
            {
                "sn": targets["sn"][visits.target],
                "exposure": exposures["exposure"][visits.exposure],
                "mjd": mjd,
                "band": band[visits.exposure],
                "flux": np.maximum(flux, 0.0),
                "color": color,
            },
            meta=Meta(origin="simulated"),
        )

    def _check_cover(self, model: SaltModel, targets: Targets, bands: list[str]) -> None:
        """Refuse a supernova that the model does not cover in a band."""
        z = targets["z_hel"]
        ends = np.asarray(model.surfaces.wave)[[0, -1]]
        is_covered = covers(ends, [load_passband(name) for name in bands], z)
        bad = np.flatnonzero(~is_covered.all(axis=1))
        if len(bad):
            row = bad[0]
            band = bands[int(np.argmin(is_covered[row]))]
            raise InputError(
                f"{targets['sn'][row]}: z = {z[row]:.3f} is beyond the model {model.name} in "
                f"{band} (and {len(bad) - 1} others); mend z_min, z_max or the bands"
            )

    def surroundings(
        self, targets: Targets, truth: Truth, exposures: Exposures
    ) -> tuple[TrueStars, TrueGalaxies]:
        """Draw stars and galaxies about all pointings.

        Raises
        ------
        InputError
            If the fields are too far apart.
        """
        ra, dec, radius = self._circle(exposures)
        passbands = sorted({*exposures["band"].tolist(), *COLOR_BANDS})
        stars, others = self.settings.stars, self.settings.galaxies
        disk = {"passbands": passbands, "seed": self.seed}
        drawn = draw_stars(
            ra, dec, radius, mag_range=stars.mag_range, density=stars.density, **disk
        )
        hosts = draw_hosts(targets, truth, **disk)
        galaxies = draw_galaxies(ra, dec, radius, mag_range=others.mag_range, **disk)
        table = pa.concat_tables([hosts.table, galaxies.table])
        return drawn, TrueGalaxies(table=table, meta=galaxies.meta)

    def _circle(self, exposures: Exposures) -> tuple[float, float, float]:
        """Center and radius of a circle that holds all that is seen [deg]."""
        middle = directions(exposures["ra"], exposures["dec"]).mean(axis=0, keepdims=True)
        ra, dec = (float(angle[0]) for angle in position_of(middle))
        away = separation(exposures["ra"], exposures["dec"], np.asarray(ra), np.asarray(dec))
        if away.max() > _WIDEST_DEG:
            raise InputError(
                f"cadence: fields up to {away.max():.0f} deg from their middle; raw frames are "
                f"simulated within {_WIDEST_DEG:g} deg: give cadence.fields, or a log of fewer"
            )
        return ra, dec, float(away.max()) + camera_view(self.camera).radius + _MARGIN_DEG

    def draw(self) -> Sky:
        """Draw all of it."""
        exposures = self.exposures()
        targets, truth = self.supernovae(exposures)
        stars, galaxies = self.surroundings(targets, truth, exposures)
        return Sky(
            exposures=exposures,
            targets=targets,
            supernovae=truth,
            fluxes=self.fluxes(targets, truth, exposures),
            stars=stars,
            galaxies=galaxies,
        )
