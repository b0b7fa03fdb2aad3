"""The shipped SALT model as sncosmo reads it."""

from pathlib import Path

import numpy as np
import pytest

import chandelle.instrument

DATA = Path(chandelle.instrument.__file__).parent / "data"


@pytest.fixture(scope="session")
def salt_folder(tmp_path_factory) -> Path:
    """Write salt3-f22.npz out as the text files it was made of."""
    folder = tmp_path_factory.mktemp("salt3-f22")
    arrays = np.load(DATA / "salt3-f22.npz", allow_pickle=False)
    phase, wave = np.meshgrid(arrays["phase"], arrays["wave"], indexing="ij")
    for name in ("template_0", "template_1", "lc_variance_0", "lc_variance_1", "lc_covariance_01"):
        table = np.column_stack([phase.ravel(), wave.ravel(), arrays[name].ravel()])
        np.savetxt(folder / f"salt3_{name}.dat", table, fmt="%.17g")
    np.savetxt(folder / "salt3_color_dispersion.dat", arrays["color_dispersion"], fmt="%.17g")
    low, high = arrays["color_law_range"]
    law = arrays["color_law"]
    lines = [str(len(law)), *(repr(float(a)) for a in law)]
    lines += ["Salt2ExtinctionLaw.version 1"]
    lines += [
        f"Salt2ExtinctionLaw.{end}_lambda {x:.17g}" for end, x in (("min", low), ("max", high))
    ]
    (folder / "salt3_color_correction.dat").write_text("\n".join(lines) + "\n")
    return folder
