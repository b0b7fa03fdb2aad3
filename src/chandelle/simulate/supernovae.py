"""The population of type Ia supernovae that a survey draws from unless told otherwise."""

from chandelle.core.precision import require_x64
from chandelle.simulate.brightness import (
    AbsoluteMagnitude,
    BrokenStretch,
    EnvironmentStep,
    GrayScatter,
    LinearColor,
    OutlierLottery,
    ScatterWithOutliers,
    peak_magnitude,
)
from chandelle.simulate.chromatic import ChromaticScatter
from chandelle.simulate.contaminants import with_contaminants
from chandelle.simulate.environment import (
    Constant,
    YoungOrOld,
    host_logmass_obs,
    host_masses,
    local_color_obs,
    local_colors,
)
from chandelle.simulate.piece import Piece
from chandelle.simulate.pieces import Population
from chandelle.simulate.salt_parameters import DustyColor, StretchMixture
from chandelle.simulate.sightline import (
    GaussianLensing,
    HeliocentricRedshift,
    MilkyWayDust,
    PeculiarVelocity,
    cmb_redshift,
)


def supernova_population(
    *,
    chromatic: bool = False,
    outlier_fraction: float = 0.0,
    contaminant_fraction: float = 0.0,
    **pieces: Piece,
) -> Population:
    """Make the default population; redshift, position, time and distance come with the targets.

    Stretch follows surroundings whose young fraction rises with redshift, color is Gaussian plus
    dust, the law of stretch is broken, young surroundings are fainter; velocities, lensing and
    dust of the Milky Way lie in between. Each number stands with its paper in its piece.

    Parameters
    ----------
    chromatic : bool
        Add the scatter in wavelength of `ChromaticScatter`; the gray one stays as it is.
    outlier_fraction : float
        Share of supernovae whose gray scatter is 1 mag.
    contaminant_fraction : float
        Share of core-collapse supernovae.
    **pieces : callable
        Put in place of those of the same name, or added.

    Returns
    -------
    Population
        Takes `z`, `ra`, `dec` and `mu` from `draw_targets`, or as `given`.

    Examples
    --------
    Another color, and dust that depends on the host:

    >>> import jax
    >>> def c(host_logmass, *, key):
    ...     return -0.05 + 0.01 * (host_logmass - 10.0) + 0.08 * jax.random.normal(key)
    >>> population = supernova_population(c=c)
    >>> population.describe()["c"], population.describe()["color_mag"]["beta"]
    ({'piece': 'c'}, 3.27)
    """
    require_x64()
    population = Population(
        young=YoungOrOld(),
        host_logmass=host_masses(),
        host_logmass_err=Constant(0.15),
        host_logmass_obs=host_logmass_obs,
        local_color=local_colors(),
        local_color_err=Constant(0.05),
        local_color_obs=local_color_obs,
        x1=StretchMixture(),
        c=DustyColor(),
        stretch_mag=BrokenStretch(),
        color_mag=LinearColor(),
        step_mag=EnvironmentStep(),
        gray_mag=GrayScatter(),
        abs_mag=AbsoluteMagnitude(),
        lensing_mag=GaussianLensing(),
        mb=peak_magnitude,
        vpec=PeculiarVelocity(),
        z_cmb=cmb_redshift,
        z_hel=HeliocentricRedshift(),
        mwebv=MilkyWayDust(),
    )
    if chromatic:
        population = population.with_pieces(scatter=ChromaticScatter())
    if outlier_fraction:
        population = population.with_pieces(
            outlier=OutlierLottery(outlier_fraction), gray_mag=ScatterWithOutliers()
        )
    population = population.with_pieces(**pieces)
    if contaminant_fraction:
        population = with_contaminants(population, fraction=contaminant_fraction)
    return population
