r"""Absolute magnitudes: what stretch, color, surroundings and chance add to the mean.

.. math:: m_B = \mu + M + \Delta_{x_1} + \Delta_c + \Delta_{step} + \Delta_{gray} + \Delta_{lens}

Each term is a piece named ``..._mag``, positive where it makes the supernova fainter, and is kept
in the truth.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from chandelle.physics.standardization import HOST_STEP_LOGMASS
from chandelle.simulate.piece import normal, real, uniform


class LinearStretch(eqx.Module):
    r"""Slower supernovae are brighter, :math:`\Delta = -\alpha x_1`: a piece, `stretch_mag`.

    Parameters
    ----------
    alpha : float, mag
        Slope; 0.161 +- 0.010 in the volume-limited ZTF DR2 with one line.

    References
    ----------
    R. Tripp, 1998, A&A 331, 815.
    """

    alpha: Float[Array, ""] = eqx.field(converter=real, default=0.161)

    def __call__(self, x1: Float[Array, ""]) -> Float[Array, ""]:
        """Magnitude [mag] from the stretch."""
        return -self.alpha * x1


class BrokenStretch(eqx.Module):
    r"""A steeper law for fast supernovae, continuous and zero at x1 = 0: a piece, `stretch_mag`.

    .. math::

        \Delta = -\alpha_{high} x_1\ (x_1 > x_b), \quad
        -\alpha_{high} x_b - \alpha_{low} (x_1 - x_b)\ (x_1 \le x_b)

    Parameters
    ----------
    alpha_low, alpha_high : float, mag
        Slopes below and above the break.
    x1_break : float
        The break.

    References
    ----------
    M. Ginolin et al., 2025, A&A 695, A140 (0.27, 0.08, -0.48).

    Examples
    --------
    >>> BrokenStretch()(jnp.asarray(-1.48)).round(4)
    Array(0.3084, dtype=float64)
    """

    alpha_low: Float[Array, ""] = eqx.field(converter=real, default=0.27)
    alpha_high: Float[Array, ""] = eqx.field(converter=real, default=0.08)
    x1_break: Float[Array, ""] = eqx.field(converter=real, default=-0.48)

    def __call__(self, x1: Float[Array, ""]) -> Float[Array, ""]:
        """Magnitude [mag] from the stretch."""
        below = jnp.minimum(x1 - self.x1_break, 0.0)
        return -self.alpha_high * jnp.maximum(x1, self.x1_break) - self.alpha_low * below


class LinearColor(eqx.Module):
    r"""Redder supernovae are fainter, :math:`\Delta = \beta c`: a piece, `color_mag`.

    Parameters
    ----------
    beta : float, mag
        Slope; 3.268 in the volume-limited ZTF DR2 with a broken stretch.

    References
    ----------
    M. Ginolin et al., 2025, A&A 694, A4, and 695, A140 (the sample; benchmarks/dr2.py).
    """

    beta: Float[Array, ""] = eqx.field(converter=real, default=3.27)

    def __call__(self, c: Float[Array, ""]) -> Float[Array, ""]:
        """Magnitude [mag] from the color."""
        return self.beta * c


class EnvironmentStep(eqx.Module):
    r"""Fainter in young surroundings, :math:`\Delta = \gamma (y - 1/2)`: a piece, `step_mag`.

    Parameters
    ----------
    gamma : float, mag
        The step; 0.165 in the volume-limited ZTF DR2 with a broken stretch.

    References
    ----------
    M. Rigault et al., 2020, A&A 644, A176 (0.163 +- 0.029).
    """

    gamma: Float[Array, ""] = eqx.field(converter=real, default=0.165)

    def __call__(self, young: Float[Array, ""]) -> Float[Array, ""]:
        """Magnitude [mag] from the surroundings."""
        return self.gamma * (young - 0.5)


class MassStep(eqx.Module):
    r"""Brighter in heavy hosts, :math:`\Delta = -\gamma (h - 1/2)`: a piece, `step_mag`.

    Parameters
    ----------
    gamma : float, mag
        The step.
    logmass : float
        Where h goes from 0 to 1, log10 of suns.

    References
    ----------
    M. Sullivan et al., 2010, MNRAS 406, 782 (0.08 mag at 10^10 suns).
    """

    gamma: Float[Array, ""] = eqx.field(converter=real, default=0.08)
    logmass: Float[Array, ""] = eqx.field(converter=real, default=HOST_STEP_LOGMASS)

    def __call__(self, host_logmass: Float[Array, ""]) -> Float[Array, ""]:
        """Magnitude [mag] from the host's mass."""
        return -self.gamma * (jnp.where(host_logmass > self.logmass, 1.0, 0.0) - 0.5)


class GrayScatter(eqx.Module):
    """Intrinsic scatter, the same at all wavelengths: a piece, `gray_mag`.

    Parameters
    ----------
    sigma : float, mag
        One sigma; 0.1 is nominal.
    """

    sigma: Float[Array, ""] = eqx.field(converter=real, default=0.1)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a magnitude [mag]."""
        return self.sigma * normal(key)


class OutlierLottery(eqx.Module):
    """Which supernovae are outliers: a piece, `outlier`, 1 or 0.

    Parameters
    ----------
    fraction : float
        Share of outliers; nominal.
    """

    fraction: Float[Array, ""] = eqx.field(converter=real, default=0.02)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw 1 (outlier) or 0."""
        return jnp.where(uniform(key) < self.fraction, 1.0, 0.0)


class ScatterWithOutliers(eqx.Module):
    """Intrinsic scatter, wide for outliers: a piece, `gray_mag`.

    Parameters
    ----------
    sigma, outlier_sigma : float, mag
        One sigma of the others and of the outliers; nominal.

    References
    ----------
    M. Kunz, B. A. Bassett, R. A. Hlozek, 2007, Phys. Rev. D 75, 103508 (the mixture).
    """

    sigma: Float[Array, ""] = eqx.field(converter=real, default=0.1)
    outlier_sigma: Float[Array, ""] = eqx.field(converter=real, default=1.0)

    def __call__(self, outlier: Float[Array, ""], *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a magnitude [mag]."""
        return jnp.where(outlier > 0.5, self.outlier_sigma, self.sigma) * normal(key)


class AbsoluteMagnitude(eqx.Module):
    """Rest-frame B at peak: the mean and the terms of the module, a piece, `abs_mag`.

    Parameters
    ----------
    mean : float, AB mag
        M at x1 = c = 0, between the two sides of the step; nominal, for H0 = 70.
    """

    mean: Float[Array, ""] = eqx.field(converter=real, default=-19.3)

    def __call__(
        self,
        stretch_mag: Float[Array, ""],
        color_mag: Float[Array, ""],
        step_mag: Float[Array, ""],
        gray_mag: Float[Array, ""],
    ) -> Float[Array, ""]:
        """Absolute magnitude [mag]."""
        return self.mean + stretch_mag + color_mag + step_mag + gray_mag


def peak_magnitude(
    mu: Float[Array, ""], abs_mag: Float[Array, ""], lensing_mag: Float[Array, ""]
) -> Float[Array, ""]:
    """Apparent peak magnitude in rest-frame B [AB mag]: a piece, `mb`."""
    return mu + abs_mag + lensing_mag
