"""Real and simulated light curves against published SALT parameters.

Four surveys of Pantheon+ against its table, its SNANA simulations against truth and SNANA's own
fits, and the alert light curves of the ZTF Bright Transient Survey, status by status, cut by cut.

Run: python benchmarks/bench_pantheonplus.py [folder of the real data]
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from real import bts, pantheonplus, simulations

import chandelle as ch

_DATA = os.environ.get("CHANDELLE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")


def main() -> None:
    """Measure and print each part."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else _DATA)
    if not (data / "lightcurves" / "pantheonplus_snana").is_dir():
        print(f"no real data at {data}: nothing measured")
        return
    pd.set_option("display.width", 160)
    with tempfile.TemporaryDirectory() as unpacked:
        model = pantheonplus.unpack_model(data, Path(unpacked))
        print_surveys(data, model)
        print_simulations(data, model)
    print_bts(data)


def print_surveys(data: Path, model: str) -> None:
    """Print differences to the table per survey, per setting, and the outliers."""
    published = pantheonplus.read_published(data)
    for name, survey in pantheonplus.SURVEYS.items():
        lcs, rows, missing = pantheonplus.read_survey(survey, data, published)
        print(f"\n{name}: {len(rows) + len(missing)} in the table, {len(rows)} in the folder")
        if missing:
            print(f"not in the folder: {', '.join(missing)}")
        for step, about in enumerate(pantheonplus.STEPS):
            changes = (True, True, bool(survey.left_out), bool(survey.mag_error))
            if changes[step]:
                used = pantheonplus.with_settings(lcs, survey, rows, step=step)
                _print_fit(about, used, rows, model)
        used = pantheonplus.with_settings(lcs, survey, rows)
        table = _print_fit("no model covariance", used, rows, model, model_cov=False)
        table = _print_fit("as the authors did", used, rows, model)
        for ids in survey.ids if len(survey.ids) > 1 else ():
            _print_line(f"IDSURVEY {ids}", table[(rows["IDSURVEY"] == ids)[table.index]])
        far = pantheonplus.outliers(table)
        print(f"{len(far)} with |dx1| > {pantheonplus.FAR_X1} or |dc| > {pantheonplus.FAR_C}:")
        print(far.round(3).to_string())


def _print_fit(
    about: str, lcs: ch.LightCurves, rows: pd.DataFrame, model: str, *, model_cov: bool = True
) -> pd.DataFrame:
    start = time.process_time()
    fits = pantheonplus.fit(lcs, model, model_cov=model_cov)
    seconds = time.process_time() - start
    table = pantheonplus.differences(fits, rows)
    _print_line(about, table, seconds)
    failed = fits[fits["status"] != "ok"]["status"]
    if len(failed):
        print(f"  not fitted: {failed.to_dict()}")
    return table


def _print_line(about: str, table: pd.DataFrame, seconds: float | None = None) -> None:
    """Print median (scatter) of the differences."""
    parts = [
        f"{name} {table[name].median():+.4f} ({pantheonplus.scatter(table[name]):.4f})"
        for name in ("dx1", "dc", "dmb", "dt0")
    ]
    errors = [f"{name} x{table[name].median():.3f}" for name in ("x1_err", "c_err")]
    same = int((table["dndof"] == 0).sum())
    cpu = "" if seconds is None else f", {seconds:.1f} CPU s"
    print(f"  {about}: {len(table)} fitted, same NDOF {same}{cpu}")
    print(f"    {', '.join(parts)}; {', '.join(errors)}")


def print_simulations(data: Path, model: str) -> None:
    """Print x1 against truth and FITRES, c against FITRES."""
    for survey in simulations.IDS:
        start = time.process_time()
        table = simulations.compare(survey, data, model)
        cpu = time.process_time() - start
        table = table[table["status"] == "ok"]
        print(f"\nsimulated {survey}: {len(table)} fitted, {cpu:.1f} CPU s")
        for whose in ("", "_fitres"):
            pull = (table[f"x1{whose}"] - table["x1_true"]) / table[f"x1_err{whose}"]
            print(
                f"  pull of x1 against truth, {'SNANA' if whose else 'ours'}: mean "
                f"{pull.mean():+.3f} +- {pull.std() / np.sqrt(len(pull)):.3f}, median "
                f"{pull.median():+.3f}, std {pull.std():.3f}"
            )
        for name in ("x1", "c", "mb", "t0"):
            off = table[name] - table[f"{name}_fitres"]
            print(
                f"  {name} - FITRES: median {off.median():+.4f} ({pantheonplus.scatter(off):.4f})"
            )


def print_bts(data: Path) -> None:
    """Print statuses, cuts, and the maxima beside those of the table."""
    lcs = bts.read_bts(data)
    for model_cov in (True, False):
        start = time.process_time()
        fits = ch.fit_salt(lcs, model_cov=model_cov)
        cpu = time.process_time() - start
        status = fits.to_pandas()["status"].value_counts()
        print(f"\nBTS, model_cov={model_cov}: {len(fits)} rows, {cpu:.1f} CPU s")
        print("  " + ", ".join(f"{k} {v} ({v / len(fits):.3f})" for k, v in status.items()))
    print(bts.fit_as_dr2(lcs)[1])
    peaks = bts.maxima(lcs, fits)
    for about, off in (
        ("fitted maximum - peakmag", peaks["mag"] - peaks["peak_mag"]),
        ("fit at peakt - peakmag", peaks["mag_there"] - peaks["peak_mag"]),
        ("fitted maximum - peakt [d]", peaks["mjd"] - peaks["peak_mjd"]),
    ):
        off = off[np.isfinite(off)]
        print(f"  {about}: median {off.median():+.3f} ({pantheonplus.scatter(off):.3f})")


if __name__ == "__main__":
    main()
