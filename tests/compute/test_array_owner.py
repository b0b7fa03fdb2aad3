"""Whose an array of jobs is: processes that are there, gone, or others under the same number."""

import json
import os
import subprocess
import sys

from chandelle.compute import array_owner
from chandelle.compute.array_owner import FILE, Claim, Pulse, claim, release


def test_a_claim_holds_as_long_as_its_process(tmp_path):
    body = (
        "import pathlib, sys; from chandelle.compute.array_owner import claim; "
        f"claim(pathlib.Path({str(tmp_path)!r})); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", body], stdin=subprocess.PIPE, text=True) as other:
        while not (tmp_path / FILE).exists() or not (tmp_path / FILE).read_text():
            assert other.poll() is None
        assert Claim(tmp_path).life() == "alive"
        os.utime(tmp_path / FILE, (0.0, 0.0))
        assert Claim(tmp_path).life() == "alive"
        other.kill()
        other.wait()
    assert Claim(tmp_path).life() == "dead"


def test_another_process_of_the_same_number_is_not_the_driver(tmp_path):
    claim(tmp_path)
    facts = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(facts | {"started": facts["started"] - 3600.0}))
    assert Claim(tmp_path).life() == "alive", "its file was touched just now"
    os.utime(tmp_path / FILE, (0.0, 0.0))
    assert Claim(tmp_path).life() == "dead"


def test_a_claim_that_was_given_up_is_nobodys(tmp_path):
    claim(tmp_path)
    release(tmp_path)
    assert Claim(tmp_path).life() == "dead"


def test_a_damaged_claim_does_not_hold_for_ever(tmp_path):
    claim(tmp_path)
    (tmp_path / FILE).write_bytes(b"")
    assert Claim(tmp_path).life() == "unclear"
    os.utime(tmp_path / FILE, (0.0, 0.0))
    assert Claim(tmp_path).life() == "dead"


def test_claims_are_touched_until_they_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(array_owner, "_BEAT_S", 0.02)
    claim(tmp_path)
    pulse = Pulse()
    pulse.add(tmp_path)
    os.utime(tmp_path / FILE, (0.0, 0.0))
    for _ in range(500):
        if (tmp_path / FILE).stat().st_mtime > 0.0:
            break
        pulse._end.wait(0.02)
    assert (tmp_path / FILE).stat().st_mtime > 0.0
    pulse.stop()
    assert pulse._thread is not None
    pulse._thread.join(timeout=10.0)
    assert not pulse._thread.is_alive()
