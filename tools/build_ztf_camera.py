"""Write src/chandelle/instrument/cameras/ztf.toml: what is known, and drawn values of quadrants.

    python tools/build_ztf_camera.py

The values of the 64 quadrants (gain, read noise, response, pocket) are not those of the real
ones, which are not public as a table: they are drawn, with fixed keys, inside the ranges known.
The two middle values of a pocket parameter are put on the median known, the outer two on the
minimum and maximum. Running it again writes the same bytes.
"""

from pathlib import Path

import jax
import numpy as np

from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for

FILE = Path(__file__).parents[1] / "src" / "chandelle" / "instrument" / "cameras" / "ztf.toml"
N = 64
SATURATION_DN = 58647.0
POCKET = {
    "pocket_alpha": (1.33, 1.52, 1.74),
    "pocket_cmax": (386.0, 756.0, 1757.0),
    "pocket_beta": (0.286, 0.372, 0.536),
    "pocket_nmax": (6.6e4, 3.2e5, 2.0e6),
}
PITCH_DEG = (1.859, 1.917)
HEAD = """\
# The ZTF camera on the 48-inch Samuel Oschin telescope. Written by tools/build_ztf_camera.py.
#
# Sources: [H] headers of public science images (2020-09-24, CCD 13, quadrant 3);
# [D] R. Dekany et al. 2020, PASP 132, 038001 (arXiv:2008.04923);
# [P] arXiv:2509.04073 (the pocket effect); [T] positions of the 64 quadrants in the tangent
# plane, from the headers of science images of August 2018 (D. Kaplan, ztf_tiling);
# [N] nominal: no public figure was at hand.

name = "ztf"
pixel_scale_arcsec = 1.012  # [H]; 47.9 deg2 of silicon, 47 in [D]; about 55 deg2 with the gaps
exposure_s = 30.0           # [D]
overhead_s = 8.66           # [D] median
rotation_deg = 180.0        # [H] x grows to the west, y to the south

[site]                      # [H]
latitude_deg = 33.3573
longitude_deg = -116.8598
height_m = 1668.0

[quadrant]
n_rows = 3080               # [H]
n_columns = 3072            # [H]
gain = 6.1                  # [H] electron/DN, 6.0 to 6.2
read_noise = 9.5            # [H] electron, 9 to 10
dark_current = 1.0          # [H] electron/s
saturation_dn = 58647.0     # [H] above the bias
full_well = 375000.0        # [N] electron, of the CCD231 family; above saturation_dn
overscan_columns = 30
bias_dn = 1500.0            # [N]
"""
MIDDLE = """
# Q2 | Q1   eta (north) up, xi (east) to the right: Q1 is the north-east quadrant. Each
# ---+---   amplifier is at its corner of the CCD, so rows are read from the outer edge inwards. The
# Q3 | Q4   arrays of raw files and of science images run along the axes of the CCD: public code
#           that studies raw overscans takes the columns of Q1 and Q4 as they come, those of Q2 and
#           Q3 backwards.
"""


def drawn(name: str) -> np.ndarray:
    """Uniform numbers, one a quadrant."""
    return np.asarray(jax.random.uniform(key_for(1, "ztf camera", name), (N,)))


def between(name: str, low: float, middle: float, high: float) -> np.ndarray:
    """Values with that minimum, median and maximum, uniform in the logarithm on either side."""
    uniform = drawn(name)
    ends = np.sort(uniform)[[0, N // 2 - 1, N // 2, -1]]
    rank = np.interp(uniform, ends, [0.0, 0.5, 0.5, 1.0])
    return np.exp(np.interp(rank, [0.0, 0.5, 1.0], np.log([low, middle, high])))


def response() -> tuple[np.ndarray, np.ndarray]:
    """Coefficients A, B of the response: at saturation it is off by up to 2 %, by B and A alike."""
    at_full_scale = 0.02 * (2.0 * drawn("response") - 1.0)
    at_full_scale *= 0.0199 / np.abs(at_full_scale).max()
    share = drawn("response shape")
    a = share * at_full_scale / SATURATION_DN**2
    return a, (1.0 - share) * at_full_scale / SATURATION_DN


def amplifiers() -> str:
    """Quadrants of a CCD: the amplifier is at the outer corner."""
    rows = []
    for qid, (right, down) in enumerate([(0, 0), (1, 0), (1, 1), (0, 1)], start=1):
        place = f"qid = {qid}, x0 = {3072 * right}, y0 = {3080 * down}"
        read = f"read_x = {1 - 2 * right}, read_y = {1 - 2 * down}"
        stored = f"science_extension = {qid}, overscan_extension = {qid + 4}"
        rows.append(f"  {{ {place}, {read}, {stored} }},")
    return "\n".join(["amplifiers = [", *rows, "]", ""])


def ccds() -> str:
    """Positions of the CCDs: 1 to 4 the southern row from east to west, 13 to 16 the northern."""
    x, y = PITCH_DEG
    rows = [
        f"  {{ id = {4 * row + column + 1}, center_deg = "
        f"[{(1.5 - column) * x:.4f}, {(row - 1.5) * y:.4f}] }},"
        for row in range(4)
        for column in range(4)
    ]
    note = (
        f"\n# A regular grid of {x} x {y} degrees fitted to [T], where single CCDs are off it by "
        "up to\n# 0.05 degree; gaps of about 0.13 degree along xi, 0.185 along eta. rcid = "
        "4 (id - 1) + qid - 1.\n"
    )
    return note + "\n".join(["ccds = [", *rows, "]", ""])


def overrides() -> str:
    """The table of the quadrants."""
    a, b = response()
    columns = {
        "gain": [f"{value:.2f}" for value in 6.0 + 0.2 * drawn("gain")],
        "read_noise": [f"{value:.2f}" for value in 9.0 + drawn("read noise")],
        "response_a": [f"{value:.3e}" for value in a],
        "response_b": [f"{value:.3e}" for value in b],
    }
    for name, triple in POCKET.items():
        form = ".1f" if triple[0] > 100 else ".4f"
        columns[name] = [f"{value:{form}}" for value in between(name, *triple)]
    lines = [
        "",
        "# Drawn once (tools/build_ztf_camera.py) in the ranges of [H] and, minimum, median and",
        "# maximum, of [P]; the response is off by up to 2 % at saturation. Not the real ones.",
        "[overrides]",
        f"columns = [{', '.join(repr(name) for name in ['rcid', *columns])}]".replace("'", '"'),
        "rows = [",
    ]
    for rcid in range(N):
        values = ", ".join(column[rcid] for column in columns.values())
        lines.append(f"  [{rcid}, {values}],")
    return "\n".join([*lines, "]", ""])


def main() -> None:
    """Write the file: the camera's own keys and lists must come before the tables."""
    require_x64()
    filters = "\n".join(
        ["filters = ["]
        + [
            f'  {{ name = "ZTF_{band}", passband = "ztf{band}", code = "z{band}", '
            f"number = {number} }},"
            for number, band in enumerate("gri", start=1)
        ]
        + ["]", ""]
    )
    keys, tables = HEAD.split("\n[site]")
    text = (
        "\n".join([keys, filters.rstrip()])
        + "\n"
        + MIDDLE
        + amplifiers()
        + ccds()
        + "\n[site]"
        + tables
    )
    FILE.write_text(text + overrides(), encoding="utf-8")


if __name__ == "__main__":
    main()
