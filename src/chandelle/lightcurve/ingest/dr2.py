"""Read the ZTF SN Ia DR2 as one call."""

from collections.abc import Sequence
from pathlib import Path

from chandelle.lightcurve.ingest.dr2_layout import REJECTED_FLAGS, dr2_directory, raw_dr2
from chandelle.lightcurve.ingest.epochs import Policy, check_epochs
from chandelle.lightcurve.ingest.lost import with_lost
from chandelle.products.lightcurves import LightCurves


def read_ztf_dr2(
    directory: str | Path | None = None,
    *,
    flags: Sequence[int] = REJECTED_FLAGS,
    salt_model: str = "salt2-T21",
    salt_bands: str = "gri",
    salt_phases: tuple[int, int] = (-10, 40),
) -> LightCurves:
    """Read light curves, redshifts, hosts and published SALT parameters of the ZTF SN Ia DR2.

    Parameters
    ----------
    directory : path, optional
        The folder ``ztfsniadr2``; by default that of the environment variable ZTFCOSMODIR.
    flags : sequence of int
        Bits of an epoch's flag for which it is left out. Those of ztfcosmo by default: no error,
        bad chi2, clouds, infobits, limit brighter than 19.3 mag. ``()`` keeps all epochs.
    salt_model : str
        Model of the published parameters that go with the targets.
    salt_bands : str
        Bands they were fitted in, "gri" or "gr".
    salt_phases : (int, int)
        Rest-frame phases they were fitted in [day].

    Returns
    -------
    LightCurves
        Every supernova of the table has a target; epochs left out are counted in `.rejected` as
        ``dr2_flag_BIT_WHY``. Targets have, beside redshift, mwebv and host mass: local_color and
        host_color (rest-frame g - z), sub_type, lccoverage_flag, fitquality_flag, and the other
        columns of the release under ``dr2_NAME``.

    Raises
    ------
    InputError
        If the tree is not there, or a table is malformed.

    References
    ----------
    M. Rigault et al., 2025, A&A 694, A1.
    """
    raw = raw_dr2(
        dr2_directory(directory), flags=flags, salt_table=(salt_model, salt_bands, salt_phases)
    )
    assert raw.targets is not None
    lcs = check_epochs(raw.rows, raw.targets, {}, Policy(origin="real"))
    return with_lost(lcs, raw.lost, strict=False)
