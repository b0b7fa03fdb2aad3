"""A sample of light curves from its settings: the light curves of its surveys, and the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chandelle.core.atomic import atomic_folder
from chandelle.products.exposures import Exposures
from chandelle.products.joined import join_lightcurves
from chandelle.products.lightcurves import LightCurves
from chandelle.products.parts import write_lightcurve_parts
from chandelle.simulate.settings import SampleSettings, load_preset
from chandelle.simulate.survey import SurveySimulation
from chandelle.simulate.truth import Truth, join_truths


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSample:
    """Light curves and what was drawn for them.

    Attributes
    ----------
    lightcurves : LightCurves
        Of the supernovae that are selected, of origin "simulated".
    truth : Truth
        One row a supernova, those that are not selected too.
    exposures : mapping of str to Exposures
        Log of each survey.
    """

    lightcurves: LightCurves
    truth: Truth
    exposures: Mapping[str, Exposures]

    def write(self, folder: str | Path) -> None:
        """Write `lightcurves/`, `truth.parquet` and `exposures/` into a folder."""
        folder = Path(folder)
        with atomic_folder(folder / "exposures") as logs:
            for name, log in self.exposures.items():
                log.write(logs / f"{name}.parquet")
        self.truth.write(folder / "truth.parquet")
        write_lightcurve_parts(folder / "lightcurves", [self.lightcurves])


def simulate_lightcurves(
    preset: str | Path | SampleSettings = "lemaitre-mini",
    *,
    seed: int = 1,
    n: Mapping[str, int] | None = None,
    selection: bool | None = None,
) -> SimulatedSample:
    """Simulate the light curves of a sample with their truth.

    Each supernova has a random key of its own, named after it, and each epoch one of its
    supernova and its exposure: the first hundred are the same whether a hundred or a thousand
    are drawn.

    Parameters
    ----------
    preset : str, Path or SampleSettings
        ``"lemaitre-mini"``, ``"lemaitre"``, ``"ztf-dr2"``, ``"lsst-y1"``, a file of settings, or
        settings.
    seed : int
        Root of all random numbers.
    n : mapping of str to int, optional
        Supernovae in the sample by survey, instead of the number that its rate gives; with 0 the
        survey is left out.
    selection : bool, optional
        Whether spectroscopic selection is applied; as the settings say if absent.

    Returns
    -------
    SimulatedSample
        `.lightcurves`, `.truth`, `.exposures`.

    Raises
    ------
    InputError
        If a setting is unknown or impossible, or nothing is left to simulate.

    Examples
    --------
    >>> sample = simulate_lightcurves(n={"ZTF": 2, "DEEP": 1})
    >>> sample.lightcurves.targets["survey"].tolist()
    ['ZTF', 'ZTF', 'DEEP']
    """
    settings = sample_settings(preset, n=n, selection=selection)
    lightcurves, truths, logs = [], dict[str, Truth](), dict[str, Exposures]()
    for name in settings.names:
        survey = SurveySimulation(sample=settings, name=name, seed=seed)
        logs[name] = survey.exposures()
        drawn = survey.targets(logs[name])
        seen, truths[name] = survey.observe(*drawn, survey.observing(logs[name]))
        lightcurves.append(seen)
    return SimulatedSample(
        lightcurves=join_lightcurves(lightcurves, labels=settings.names, is_shared=False),
        truth=join_truths(truths),
        exposures=logs,
    )


def sample_settings(
    preset: str | Path | SampleSettings,
    *,
    n: Mapping[str, int] | None = None,
    selection: bool | None = None,
) -> SampleSettings:
    """Settings of a preset, changed as `simulate_lightcurves` is asked to."""
    settings = preset if isinstance(preset, SampleSettings) else load_preset(preset)
    return settings.changed(n=n, selection=selection)
