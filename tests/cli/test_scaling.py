"""``chandelle scaling`` as a user types it."""

import json
from pathlib import Path

import pytest
from matplotlib import image

from chandelle.compute.scaling_result import Scaling

SCALED = Path(__file__).parents[1] / "helpers" / "scaled.py"


def test_from_the_shell_to_a_figure_and_a_file(shell, tmp_path):
    out = ("-o", tmp_path / "scaling.png", "--measurements", tmp_path / "scaling.json")
    how = ("--sizes", "1000,3e3,10000", "--repeats", 2, "--profile", "cc-in2p3")
    result = shell("scaling", f"{SCALED}:linear", *how, *out)
    assert result.code == 0, result.err
    assert result.err == ""
    lines = result.out.splitlines()
    assert lines[0].startswith(f"{SCALED}:linear: 1 thread on ")
    assert [line.split()[0] for line in lines[3:6]] == ["1000", "3000", "10000"]
    assert "CPU time grows as N^p" in result.out
    assert "lsst on cc-in2p3: 1 job of 8 h and 4 GB" in result.out
    found = Scaling.read(tmp_path / "scaling.json")
    assert str(found).splitlines()[0] == lines[0]
    assert [one.n for one in found.measurements] == [1000, 3000, 10_000]
    assert all(len(one.cpu_runs) == 2 for one in found.measurements)
    pixels = image.imread(tmp_path / "scaling.png")
    assert pixels.shape[:2] == (630, 1350)
    assert pixels.std() > 0.05


def test_a_setup_and_targets_of_ones_own(run):
    how = ("--setup", f"{SCALED}:numbers", "--sizes", "1000,10000,100000", "--repeats", 1)
    result = run("scaling", f"{SCALED}:sort_in_place", *how, "--to", "all=1e6")
    assert result.code == 0
    assert "of it setup" in result.out
    assert "all" in result.out
    assert "lsst" not in result.out


def test_sizes_that_fail_give_exit_code_1_and_keep_the_others(run, tmp_path):
    file = tmp_path / "found.json"
    how = ("--sizes", "100,300,1000", "--repeats", 1, "--measurements", file)
    result = run("scaling", f"{SCALED}:fails_at_300", *how, "-o", tmp_path / "none.png")
    assert result.code == 1
    assert "error: ValueError: 300 is no good" in result.out
    assert "no law: it takes 3 sizes that were measured, there are 2" in result.out
    assert len(json.loads(file.read_text())["measurements"]) == 3
    assert not (tmp_path / "none.png").exists()


def test_a_budget(run):
    how = ("--sizes", "10,30,100,20000", "--repeats", 1, "--budget", 25)
    result = run("scaling", f"{SCALED}:sleeps", *how)
    assert result.code == 0
    assert "20000  not run: would take about" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.py:f",), "none.py: expected a Python file, found none"),
        ((f"{SCALED}:two",), "called with one argument"),
        ((f"{SCALED}:linear", "--sizes", "1,x"), "--sizes x: expected whole numbers from 1 on"),
        ((f"{SCALED}:linear", "--sizes", "1.5,2,3"), "--sizes 1.5: expected whole numbers"),
        ((f"{SCALED}:linear", "--to", "lsst"), "--to lsst: expected NAME=N"),
        ((f"{SCALED}:linear", "--profile", "nowhere"), "profile nowhere: expected one of"),
        ((f"{SCALED}:linear", "-o", "figure.txt"), "ends in .png or .pdf or .svg, got .txt"),
        ((f"{SCALED}:linear", "--measurements", "a.csv"), "ends in .json or .parquet, got .csv"),
    ],
)
def test_wrong_usage_is_told_before_the_work(run, arguments, message):
    result = run("scaling", *arguments)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
