"""Foundation DR1 against its published SALT2 parameters.

Run: python benchmarks/bench_foundation.py [folder of the real data]
Fitted with SALT2-4, its model covariance, phases -15..45 d, bands at 3000..7000 angstrom, as the
release was by SNANA.
"""

import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import chandelle as ch

_DATA = os.environ.get("CHANDELLE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")


def main() -> None:
    """Fit, join, print."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else _DATA)
    folder = data / "lightcurves" / "foundation_dr1"
    if not folder.is_dir():
        print(f"no real data at {data}: nothing measured")
        return
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(data / "models" / "salt2-4_jla_b14.tar.gz") as archive:
            archive.extractall(unpacked, filter="data")
        model = str(next(Path(unpacked).rglob("salt2_template_0.dat")).parent)
        start = time.process_time()
        lcs = ch.read_lightcurves(
            folder / "Foundation_DR1.tar.gz",
            kcor=folder / "kcor_PS1_none.fits.gz",
            snana_vpec="correction",
            origin="published",
        )
        read = time.process_time() - start
        fits = ch.fit_salt(lcs, model=model, model_cov=True, wave_range=(3000, 7000)).to_pandas()
        fitted = time.process_time() - start - read
    release = pd.read_csv(folder / "Foundation_DR1.FITRES.TEXT", sep=r"\s+", comment="#")
    release = release.set_index("CID").loc[fits.index]
    print(f"{len(fits)} supernovae, {(fits['status'] == 'ok').sum()} fitted")
    print(f"CPU: read {read:.1f} s, fit {fitted:.1f} s with compilation")
    differences = pd.DataFrame(
        {
            "x1": fits["x1"] - release["x1"],
            "c": fits["c"] - release["c"],
            "t0": fits["t0"] - release["PKMJD"],
            "mb": fits["mb"] - release["mB"],
            "x0 [mag]": -2.5 * np.log10(fits["x0"] / release["x0"]),
        }
    )
    far = (differences["x1"].abs() > 0.3) | (differences["c"].abs() > 0.03)
    table = differences.agg(["median"]).T
    table["std"] = differences[~far].std()
    print(table.round(4).to_string())
    print("outliers, left out of std:")
    print(differences[far].round(3).to_string())


if __name__ == "__main__":
    main()
