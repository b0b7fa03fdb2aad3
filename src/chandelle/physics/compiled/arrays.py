"""A SALT model as the arrays that compiled kernels read."""

import numpy as np
from numpy.typing import NDArray

from chandelle.physics.compiled.bands import ModelArrays
from chandelle.physics.compiled.grid import SurfaceArrays
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_grid import Surface


def model_arrays(model: SaltModel) -> ModelArrays:
    """Give a SALT model as the arrays of the compiled kernels."""
    surfaces, errors = model.surfaces, model.errors
    law = surfaces.color_law
    return ModelArrays(
        phase=numba_array(surfaces.phase),
        wave=numba_array(surfaces.wave),
        templates=numba_array(surfaces.templates).reshape(len(surfaces.wave), -1),
        color_law=numba_array(law.coefficients),
        color_low=float(law.wave_min),
        color_high=float(law.wave_max),
        variance_0=_surface(errors.variance_0),
        variance_1=_surface(errors.variance_1),
        covariance_01=_surface(errors.covariance_01),
        error_scale=_surface(errors.error_scale),
        dispersion_wave=numba_array(errors.dispersion_wave),
        dispersion=numba_array(errors.dispersion),
    )


def numba_array(values: object) -> NDArray[np.float64]:
    """Copy to a writable array, since numba compiles anew for one that is not."""
    return np.array(values, dtype=np.float64, order="C")


def _surface(surface: Surface | None) -> SurfaceArrays:
    if surface is None:
        return SurfaceArrays(np.zeros(0), np.zeros(0), np.zeros((0, 0)))
    return SurfaceArrays(
        numba_array(surface.phase), numba_array(surface.wave), numba_array(surface.values)
    )
