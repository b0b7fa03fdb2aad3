"""Draw the README's picture from a demo folder: python tools/readme_picture.py demo."""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

import chandelle as ch


def main(folder: Path) -> None:
    """Write docs/_static/lemaitre.png."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=(3, 2))
    figure.subplots_adjust(wspace=0.2)
    lightcurves = ch.LightCurves.read(folder / "lightcurves")
    fits = ch.SaltFits.read(folder / "saltfits" / "fits.parquet")
    posterior = ch.Posterior.read(folder / "posterior")
    ch.report.plot_diagram(ch.Diagram.read(folder / "diagram"), posterior=posterior, ax=axes[0])
    table = fits.to_pandas().query("status == 'ok' and z > 0.3 and z < 0.4")
    sn = (table["chi2"] / table["ndof"] - 1).abs().idxmin()
    upper, _ = ch.report.plot_lightcurve(lightcurves, sn=sn, fits=fits, ax=axes[1])
    upper.set_title(f"one of {len(fits)} light curves, z = {table['z'][sn]:.2f}", fontsize=10)
    out = Path(__file__).parents[1] / "docs" / "_static" / "lemaitre.png"
    out.parent.mkdir(exist_ok=True)
    figure.savefig(out, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
