"""The README's ten lines run as they stand."""

import re
from pathlib import Path

import chandelle as ch

README = Path(__file__).parents[1] / "README.md"


def test_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.strip().splitlines()) <= 10
    names: dict = {}
    exec(compile(code, str(README), "exec"), names)
    om = names["posterior"].summary().loc["Om"]
    assert abs(om["mean"] - names["survey"].truth.parameters["Om"]) < 5 * om["sd"]
    assert (tmp_path / "lemaitre.png").stat().st_size > 10_000


def test_every_public_name_is_there_and_few():
    assert len(ch.__all__) <= 20
    for name in ch.__all__:
        assert getattr(ch, name).__doc__
    assert set(ch.__all__) <= set(dir(ch))


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(ch, "fit_everything")
