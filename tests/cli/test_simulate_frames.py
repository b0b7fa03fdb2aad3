"""``chandelle simulate survey``, and ``run`` and ``status`` on what it leaves."""

from tiny_survey import digests, write_settings


def test_a_survey_of_raw_frames_by_the_shell(run, tmp_path):
    settings, folder = write_settings(tmp_path), tmp_path / "out"
    done = run("simulate", "survey", "--preset", settings, "-o", folder, "--on", "serial")
    assert done.code == 0, done.err
    assert "24 quadrants of object frames" in done.out
    assert "; 4 supernovae" in done.out
    assert any(line.startswith("draw-frames: 1 of 1") for line in done.err.splitlines())
    assert len(list(folder.glob("raw/**/*.fits"))) == 11
    before = digests(folder)
    status = run("status", folder)
    assert status.code == 0
    steps = [line.split() for line in status.out.splitlines()]
    for step in ("make-sky", "write-transmissions", "draw-frames"):
        assert [step, "1", "1"] in steps
    next(folder.glob("raw/**/*_o.fits")).unlink()
    again = run("run", folder, "--until", "simulate-frames", "--on", "serial")
    assert again.code == 0, again.err
    assert "1 tasks done now" in again.out
    assert digests(folder) == before
    other = run("simulate", "survey", "--preset", settings, "-o", folder, "--seed", "2")
    assert other.code == 2
    assert "holds another survey" in other.err


def test_settings_that_cannot_be_by_the_shell(run, tmp_path):
    settings = write_settings(tmp_path, ("ccds = [6]", "ccds = [99]"))
    refused = run("simulate", "survey", "--preset", settings, "-o", tmp_path / "out")
    assert refused.code == 2
    assert "no CCD 99" in refused.err
    late = write_settings(tmp_path, ('log = "ztf"', 'log = "zft"'))
    refused = run("simulate", "survey", "--preset", late, "-o", tmp_path / "out", "--on", "serial")
    assert refused.code == 1
    assert "did you mean 'ztf'" in refused.err
    assert not (tmp_path / "out" / "raw").exists()
