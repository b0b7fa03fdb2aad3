"""ZTF alert packets: real ones against astropy's magnitudes, and packets made to harm."""

import tarfile
from collections import Counter
from io import BytesIO

import fastavro
import numpy as np
import pytest
from astropy import units

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.ingest import bounded, read_lightcurves

JD = 2458881.5


def nullable(name, kind):
    return {"name": name, "type": [kind, "null"], "default": None}


POINT = [
    *({"name": name, "type": kind} for name, kind in (("jd", "double"), ("fid", "int"))),
    *(nullable(name, "double") for name in ("ra", "dec", "magpsf", "sigmapsf", "diffmaglim")),
    *(nullable(name, kind) for name, kind in (("pid", "long"), ("isdiffpos", "string"))),
    *(nullable(name, "double") for name in ("magzpsci", "forcediffimflux", "forcediffimfluxunc")),
    nullable("procstatus", "string"),
]


def schema(point=POINT):
    record = {"type": "record", "name": "ztf.alert.candidate", "fields": point}
    history = ["null", {"type": "array", "items": "ztf.alert.candidate"}]
    return {
        "type": "record",
        "name": "ztf.alert",
        "fields": [
            {"name": "objectId", "type": "string"},
            {"name": "candidate", "type": record},
            {"name": "prv_candidates", "type": history, "default": None},
            {"name": "fp_hists", "type": history, "default": None},
        ],
    }


def detection(day, mag, *, sign="t", fid=1, pid=None):
    return {
        **{"jd": JD + day, "fid": fid, "pid": int(10 * day) if pid is None else pid},
        **{"ra": 150.0, "dec": 2.0, "magpsf": mag, "sigmapsf": 0.1, "isdiffpos": sign},
    }


def limit(day, *, fid=1):
    return {"jd": JD + day, "fid": fid, "pid": int(10 * day), "diffmaglim": 20.0}


def forced(day, flux, *, status="0", zp=26.0):
    return {
        **{"jd": JD + day, "fid": 1, "pid": int(10 * day), "magzpsci": zp, "procstatus": status},
        **{"forcediffimflux": flux, "forcediffimfluxunc": 10.0},
    }


def write(
    path, candidate, history=None, forced=None, *, sn="ZTF20aaaaaaa", point=POINT, codec="null"
):
    packet = {
        "objectId": sn,
        "candidate": candidate,
        "prv_candidates": history,
        "fp_hists": forced,
    }
    stream = BytesIO()
    fastavro.writer(stream, fastavro.parse_schema(schema(point)), [packet], codec=codec)
    path.write_bytes(stream.getvalue())
    return path


def counts(lcs):
    total = Counter()
    for row in lcs.rejected.to_pylist():
        total[row["reason"]] += row["count"]
    return dict(total)


def test_a_packet_becomes_fluxes_with_their_sign(tmp_path):
    history = [
        detection(1, 18.0),
        detection(2, 19.0, sign="f", fid=2),
        detection(3, 19.0, sign="1", fid=3),
        detection(4, 19.0, sign="0"),
        detection(5, 19.0, sign="?"),
        detection(6, 19.0, fid=4),
        limit(7),
    ]
    lcs = read_lightcurves(write(tmp_path / "a.avro", detection(9, 17.5), history))
    expected = (np.array([18.0, 19.0, 19.0, 19.0, 17.5]) * units.ABmag).to_value(units.nJy)
    np.testing.assert_allclose(lcs["flux"], expected * [1, -1, 1, -1, 1], rtol=1e-4)
    np.testing.assert_allclose(lcs["flux_err"] / abs(lcs["flux"]), 0.1 * np.log(10) / 2.5)
    np.testing.assert_allclose(lcs["mjd"], JD - 2400000.5 + np.array([1, 2, 3, 4, 9]))
    assert lcs["band"].tolist() == ["ztfg", "ztfr", "ztfi", "ztfg", "ztfg"]
    assert counts(lcs) == {"band_unknown": 1, "sign_unknown": 1, "upper_limit": 1}
    target = lcs.targets.to_pandas().iloc[0]
    assert (target.sn, target.survey, target.ra, target.dec) == ("ZTF20aaaaaaa", "ZTF", 150.0, 2.0)
    assert np.isnan(target.z_hel)


def test_forced_photometry_takes_the_place_of_the_detection(tmp_path):
    points = [
        forced(1, 1000.0),
        forced(2, -50.0),
        forced(3, 30.0, status="56"),
        forced(4, -99999.0),
    ]
    path = write(tmp_path / "a.avro", detection(5, 18.0), [detection(1, 18.0), limit(2)], points)
    lcs = read_lightcurves(path)
    np.testing.assert_allclose(lcs["mjd"], JD - 2400000.5 + np.array([1, 2, 5]))
    mag = 26.0 - 2.5 * np.log10(1000.0)
    expected = (mag * units.ABmag).to_value(units.nJy) * np.array([1.0, -0.05])
    np.testing.assert_allclose(lcs["flux"][:2], expected, rtol=1e-4)
    np.testing.assert_allclose(lcs["flux_err"][0] / lcs["flux"][0], 0.01)
    assert counts(lcs) == {"duplicate": 2, "forced_warning": 1, "forced_unmeasured": 1}


def test_packets_of_one_object_are_joined_and_the_latest_counts(tmp_path):
    write(tmp_path / "a.avro", detection(1, 18.0), [limit(0)])
    write(tmp_path / "b.avro", detection(2, 18.5), [detection(1, 18.25), limit(0)])
    write(tmp_path / "c.avro", detection(1, 19.0), sn="ZTF20aaaaaab")
    lcs = read_lightcurves(tmp_path, targets=None)
    assert lcs.targets["sn"].tolist() == ["ZTF20aaaaaaa", "ZTF20aaaaaab"]
    assert lcs["sn"].tolist() == ["ZTF20aaaaaaa"] * 2 + ["ZTF20aaaaaab"]
    np.testing.assert_allclose(ZP_NJY - 2.5 * np.log10(lcs["flux"]), [18.25, 18.5, 19.0])
    assert counts(lcs) == {"duplicate": 2, "upper_limit": 1}
    listed = read_lightcurves([tmp_path / "b.avro", tmp_path / "a.avro"])
    assert listed["flux"].tolist() == lcs["flux"].tolist()[:2]


def test_a_broken_packet_costs_only_itself(tmp_path, caplog):
    good = write(tmp_path / "a.avro", detection(1, 18.0))
    (tmp_path / "b.avro").write_bytes(good.read_bytes()[:-40])
    (tmp_path / "c.avro").write_text("<html>404</html>")
    without = [field for field in POINT if field["name"] != "isdiffpos"]
    candidate = {k: v for k, v in detection(1, 18.0).items() if k != "isdiffpos"}
    write(tmp_path / "d.avro", candidate, point=without)
    lcs = read_lightcurves(tmp_path)
    assert len(lcs) == 1
    assert counts(lcs) == {"unreadable_file": 3}
    assert "d.avro: missing candidate.isdiffpos; found jd, fid" in caplog.text
    with pytest.raises(InputError, match=r"c.avro: expected a whole Avro file"):
        read_lightcurves(tmp_path / "c.avro")


def encode(schema_json, body=b"", codec=b"null"):
    """Build an Avro file by hand: what fastavro would not write."""
    stream = BytesIO()
    header = {
        "type": "record",
        "name": "h",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "m", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "s", "size": 16}},
        ],
    }
    meta = {"avro.schema": schema_json, "avro.codec": codec}
    sync = b"0123456789abcdef"
    fastavro.schemaless_writer(stream, header, {"magic": b"Obj\x01", "meta": meta, "sync": sync})
    return stream.getvalue() + body + sync


BOMB = (
    b'{"type":"record","name":"a","fields":[{"name":"x","type":{"type":"array","items":"null"}}]}'
)
EMPTY = b'{"type":"record","name":"a","fields":[]}'
SELF = b'{"type":"record","name":"a","fields":[{"name":"x","type":"a"}]}'
DEEP = b'{"type":"array","items":' * 5000 + b'"int"' + b"}" * 5000
# One block of one record: an array that says it has 2**56 items, none of which takes a byte.
BILLIONS = b"\x02\x12" + b"\x80" * 8 + b"\x01" + b"\x00"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encode(BOMB, BILLIONS), "an Avro array whose items take no byte"),
        (encode(EMPTY, b"\xfe\xff\xff\xff\x0f\x00"), "records that take no byte"),
        (encode(SELF), "contains itself"),
        (encode(DEEP), "expected a whole Avro file"),
        (encode(b"{"), "expected a whole Avro file"),
        (encode(b'{"type":"record","name":"a","fields":[{"name":"x","type":"b"}]}'), "not defined"),
        (encode(EMPTY, codec=b"deflate"), "Avro codec deflate; unpack"),
        (encode(b" " * 2_000_000), "schema of 2000000 bytes"),
        (b"Obj\x01" + b"\xff" * 30, "expected a whole Avro file"),
        (b"", "expected a whole Avro file"),
    ],
)
def test_files_made_to_harm_are_refused(tmp_path, content, message):
    (tmp_path / "a.avro").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_lightcurves(tmp_path / "a.avro")


def test_packets_are_bounded(tmp_path, monkeypatch):
    path = write(tmp_path / "a.avro", detection(1, 18.0))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(path, "x/a.avro")
    assert len(read_lightcurves(tmp_path / "a.tar.gz")) == 1
    monkeypatch.setattr(bounded, "MAX_FILE", 100)
    with pytest.raises(InputError, match="bytes, a light curve"):
        read_lightcurves(tmp_path / "a.tar.gz")


@pytest.mark.real
def test_real_packets(real_data, tmp_path):
    path = real_data / "images" / "ztf_alerts" / "ztf_alerts_20200202.tar"
    lcs = read_lightcurves(path, origin="real")
    expected, limits, first = {}, set(), {}
    with tarfile.open(path) as archive:
        for member in archive:
            for packet in fastavro.reader(archive.extractfile(member)) if member.isfile() else ():
                name = packet["objectId"]
                first.setdefault(name, packet["candidate"])
                for point in [packet["candidate"], *(packet["prv_candidates"] or [])]:
                    key = (name, str(point["pid"]))
                    if point["magpsf"] is None:
                        limits.add(key)
                    else:
                        sign = 1 if point["isdiffpos"] in ("t", "1") else -1
                        njy = (point["magpsf"] * units.ABmag).to_value(units.nJy)
                        expected[key] = (sign * njy, point["jd"] - 2400000.5, point["fid"])
    assert len(first) == len(lcs.targets) == 11
    ours = dict(zip(zip(lcs["sn"], lcs["exposure"], strict=True), range(len(lcs)), strict=True))
    assert set(ours) == set(expected)
    rows = [ours[key] for key in expected]
    flux, mjd, fid = map(np.array, zip(*expected.values(), strict=True))
    np.testing.assert_allclose(lcs["flux"][rows], flux, rtol=1e-4)
    np.testing.assert_allclose(lcs["mjd"][rows], mjd, rtol=0, atol=1e-9)
    assert lcs["band"][rows].tolist() == [{1: "ztfg", 2: "ztfr"}[f] for f in fid]
    assert counts(lcs) == {"upper_limit": len(limits), "duplicate": 16}
    assert (flux < 0).sum() == (lcs["flux"] < 0).sum() > 0
