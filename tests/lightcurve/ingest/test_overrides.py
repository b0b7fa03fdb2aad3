"""Header overrides of SNANA: what replaces what, and the redshifts of Pantheon+ that follow."""

import numpy as np
import pandas as pd
import pytest

from chandelle.core.errors import InputError
from chandelle.core.units import C_KM_S
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.ingest.overrides import override, read_override
from chandelle.lightcurve.ingest.snana import read_snana_texts, targets_from_snana

TARGETS = pd.DataFrame(
    {
        "name": ["000006", "b", "c"],
        "z": [0.23, 0.05, 0.06],
        "z_cmb": [0.2305, 0.051, 0.061],
        "z_hd": [0.2305, 0.052, 0.062],
        "host_logmass": [9.0, 10.0, 11.0],
        "host_logmass_err": [0.1, 0.2, 0.3],
    }
)


def write(path, keys, rows):
    lines = [f"VARNAMES: CID {keys}", *(f"SN: {row}" for row in rows)]
    path.write_text("# a comment\n" + "\n".join(lines) + "\n")
    return path


def test_values_are_replaced_and_the_diagram_redshift_follows(tmp_path):
    paths = [
        write(tmp_path / "v.txt", "VPEC", ["000006 300.0", "other 1.0"]),
        write(tmp_path / "m.txt", "HOSTGAL_LOGMASS", ["b 7.5", "c -9.0"]),
        write(tmp_path / "s.txt", "HOSTGAL_sSFR", ["b -10.5"]),
    ]
    epochs = pd.DataFrame(
        {"name": ["b"], "mjd": 59000.0, "band": "ztfg", "flux": 1.0, "fluxerr": 1.0, "zp": 25.0}
    )
    lcs = read_lightcurves(epochs, targets=TARGETS, header_override=paths)
    found = lcs.targets.to_pandas().set_index("sn")
    assert found.loc["000006", "z_hd"] == (1 + 0.2305) / (1 + 300.0 / C_KM_S) - 1
    assert found["z_hd"].tolist()[1:] == [0.052, 0.062]
    np.testing.assert_array_equal(found["host_logmass"], [9.0, 7.5, np.nan])
    np.testing.assert_array_equal(found["host_logmass_err"], [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(found["host_logssfr"], [np.nan, -10.5, np.nan])
    assert lcs.meta.provenance["header_override"] == {
        "vpec": 1,
        "host_logmass": 2,
        "host_logssfr": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SN: a 1.0\n", "expected a line 'VARNAMES: CID KEY"),
        ("VARNAMES: CID PEAKMJD\nSN: a 1.0\n", "PEAKMJD cannot be replaced; known are REDSHIFT"),
        ("VARNAMES: CID VPEC\nSN: a 1.0 2.0\n", "expected 2 values a line, found 'a 1.0 2.0'"),
        ("VARNAMES: CID VPEC\nSN: a fast\n", "values must be numbers"),
    ],
)
def test_malformed_files_are_refused(text, message, tmp_path):
    path = tmp_path / "override.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_override(path)
    with pytest.raises(InputError, match="no such header override"):
        read_override(tmp_path / "absent.txt")


@pytest.mark.real
@pytest.mark.parametrize(("survey", "number"), [("Foundation_DJ17", 150), ("CSPDR3_anthony", 5)])
def test_redshifts_of_pantheon_plus_follow_from_its_overrides(real_data, survey, number):
    """zHD and the host mass of the published table, from headers and overrides alone."""
    folder = real_data / "lightcurves" / "pantheonplus_snana"
    texts = read_snana_texts(folder / f"{survey}.tar.gz").texts
    targets = targets_from_snana(texts)
    new, counts = override(targets, sorted(folder.glob("header_override_*.txt")))
    table = pd.read_csv(
        real_data / "sn_distances" / "pantheonplus" / "Pantheon+SH0ES.dat", sep=r"\s+"
    )
    table = table[table["IDSURVEY"] == number].set_index("CID")
    frame = new.to_pandas().set_index("sn")
    both = frame.index.intersection(table.index)
    assert len(both) > 50
    assert counts["vpec"] > len(both) / 2
    ours, theirs = frame.loc[both], table.loc[both]
    # The table rounds to five decimals.
    np.testing.assert_allclose(ours["z_cmb"], theirs["zCMB"], rtol=0, atol=5.1e-6)
    np.testing.assert_allclose(ours["z_hd"], theirs["zHD"], rtol=0, atol=5.1e-6)
    np.testing.assert_array_equal(ours["host_logmass"], theirs["HOST_LOGMASS"])
    headers = targets.to_pandas().set_index("sn").loc[both]
    assert (headers["host_logmass"] != theirs["HOST_LOGMASS"]).any()
