"""What a driver at work shows: while a task runs, and whatever the clocks say."""

import os
import time

import pytest
from small_tasks import wait_until

from chandelle.compute import beacon
from chandelle.compute.beacon import Beacon, sightings
from chandelle.compute.tally import Tally

DAY_S = 86_400.0


def test_a_driver_is_seen_while_one_long_task_holds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(beacon, "_EVERY_S", 0.05)
    tally = Tally(total=5)
    with Beacon(tmp_path, tally):
        [path] = tmp_path.glob("driver-*")
        os.utime(path, (0.0, 0.0))
        tally.done = 3  # the driver itself says nothing meanwhile
        wait_until(lambda: [one.tally.done for one in sightings(tmp_path)] == [3], at_most_s=20.0)
    assert not list(tmp_path.glob("driver-*"))
    assert sightings(tmp_path) == []


def test_the_clock_of_the_machine_does_not_matter(tmp_path, monkeypatch):
    with Beacon(tmp_path, Tally(total=1)):
        now = time.time()
        for offset in (-DAY_S, DAY_S):
            monkeypatch.setattr(time, "time", lambda off=offset: now + off)
            assert len(sightings(tmp_path)) == 1
        monkeypatch.undo()
        [path] = tmp_path.glob("driver-*")
        other = path.with_name("driver-elsewhere-1.json")
        other.write_bytes(path.read_bytes())
        assert len(sightings(tmp_path)) == 2
        os.utime(other, (now - DAY_S, now - DAY_S))
        assert len(sightings(tmp_path)) == 1


@pytest.mark.parametrize("at", ["start", "join"])
def test_a_driver_interrupted_while_it_begins_or_ends_leaves_nothing(tmp_path, monkeypatch, at):
    def interrupted(thread):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"chandelle.compute.beacon.threading.Thread.{at}", interrupted)
    with pytest.raises(KeyboardInterrupt), Beacon(tmp_path, Tally(total=1)):
        pass
    assert not list(tmp_path.glob("driver-*"))


def test_a_tally_may_change_while_it_is_shown(tmp_path):
    class Changing(dict):
        def items(self):
            raise RuntimeError("dictionary changed size during iteration")

    with Beacon(tmp_path, Tally(total=2, failed=Changing(data=1))):
        assert [one.tally.failed for one in sightings(tmp_path)] == [{"data": 1}]
