"""Sets of cuts that the field knows by a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.lightcurve.conditions import Cut, at_most, between, without_flags
from chandelle.physics.sample import SaltCuts


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named set of cuts.

    Attributes
    ----------
    about : str
        Whose cuts, and where they are written.
    limits : SaltCuts
        Those on SALT parameters, with the names that the standardization knows: it must be told
        them, because its likelihood accounts for them.
    sampling, further : tuple of Cut
        Those that come before and after.
    """

    about: str
    limits: SaltCuts
    sampling: tuple[Cut, ...] = ()
    further: tuple[Cut, ...] = ()

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """All in their order."""
        return (*self.sampling, *_limits(self.limits), *self.further)


_NO_LIMIT = 10.0
_DR2_PHASES = (-10.0, 40.0)


def _limits(limits: SaltCuts) -> list[Cut]:
    cuts = [
        between("x1", -limits.x1_max, limits.x1_max),
        between("c", limits.c_min, limits.c_max),
        at_most("x1_err", limits.x1_err_max),
    ]
    if limits.c_err_max < _NO_LIMIT:
        cuts.append(at_most("c_err", limits.c_err_max))
    if limits.z_min > 0:
        cuts.append(between("z_hd", limits.z_min, limits.z_max))
    if limits.drop_bad_chi2:
        cuts.append(without_flags(Flag.CHI2_BAD, "chi2 is not improbable (p >= 1e-6)"))
    return cuts


PRESETS: Mapping[str, Preset] = {
    "dr2": Preset(
        about=(
            "ZTF SN Ia DR2 (Rigault et al. 2025): detections at 5 sigma within -10..+40 rest-frame "
            "days. Fit with phase_range=(-10, 40); epochs with flags 1, 2, 4, 8, 16 are rejected "
            "when the release is read"
        ),
        sampling=(
            Cut(
                "detections",
                lambda q: q.within(*_DR2_PHASES)["n_detections"] >= 7,
                ">= 7 detections within -10..+40 d",
            ),
            Cut(
                "bands",
                lambda q: q.within(*_DR2_PHASES)["n_bands"] >= 2,
                "detections in >= 2 bands",
            ),
            Cut(
                "before maximum",
                lambda q: q.within(*_DR2_PHASES)["n_bands_before"] >= 2,
                ">= 2 detections before maximum, in >= 2 bands",
            ),
            Cut(
                "after maximum",
                lambda q: q.within(*_DR2_PHASES)["n_bands_after"] >= 2,
                ">= 2 detections after maximum, in >= 2 bands",
            ),
        ),
        limits=SaltCuts(c_min=-0.2, c_max=0.8, x1_err_max=1.0, c_err_max=0.1, z_min=0.0),
        further=(Cut("t0_err", lambda q: q["t0_err"] <= 1.0, "t0_err <= 1 d"),),
    ),
    "pantheonplus": Preset(
        about=(
            "Pantheon+ (Scolnic et al. 2022): the cuts on every survey, without those on fit "
            "probability, which differ from survey to survey"
        ),
        sampling=(
            Cut("early", lambda q: q["first_phase"] < 5.0, "an epoch before +5 rest-frame days"),
            Cut(
                "mwebv",
                lambda q: ~(q["mwebv"] > 0.2),
                "E(B-V) of the Milky Way <= 0.2 mag, or unknown",
            ),
        ),
        limits=SaltCuts(x1_err_max=1.5, c_err_max=_NO_LIMIT, z_min=0.0),
        further=(Cut("t0_err", lambda q: q["t0_err"] <= 2.0, "t0_err <= 2 d"),),
    ),
    "standardize": Preset(
        about="what `standardize` asks for if not told otherwise",
        limits=SaltCuts(),
    ),
}
"""Cuts by name; see each one's `about`."""


def expand(cuts: Sequence[str | Cut]) -> list[Cut]:
    """Put the cuts of presets in the place of their names.

    Parameters
    ----------
    cuts : sequence of str or Cut
        Names of presets, and cuts.

    Returns
    -------
    list of Cut
        In the order given.

    Raises
    ------
    InputError
        For an unknown name.
    """
    out: list[Cut] = []
    for cut in cuts:
        out.extend(preset(cut).cuts if isinstance(cut, str) else (cut,))
    return out


def preset(name: str) -> Preset:
    """Find a preset by its name.

    Raises
    ------
    InputError
        For an unknown name.
    """
    if name not in PRESETS:
        raise InputError(f"no cuts are named {name!r}; presets: {', '.join(PRESETS)}")
    return PRESETS[name]
