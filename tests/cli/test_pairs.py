"""Options that name something: read, or refused with the option and the form."""

import pytest

from chandelle.cli.pairs import named, named_pairs, systems
from chandelle.core.errors import InputError

FORM = "NAME=LOW:HIGH"


def test_names_and_values():
    assert named("--bands", ["g=ztfg", "sdss::r=lsstr", "i=a=b"]) == {
        "g": "ztfg",
        "sdss::r": "lsstr",
        "i": "a=b",
    }
    assert named("--bands", []) == {}


def test_two_numbers_a_name():
    found = named_pairs("--bounds", ["c=-0.5:0.5", "x1=-inf:1e0"], form=FORM)
    assert found == {"c": (-0.5, 0.5), "x1": (-float("inf"), 1.0)}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("c", "--bounds c: expected NAME=LOW:HIGH; repeat --bounds for each name"),
        ("=1:2", "--bounds =1:2: expected"),
        ("c=", "--bounds c=: expected"),
        ("c=1", "--bounds c=1: expected NAME=LOW:HIGH, two numbers"),
        ("c=1:2:3", "--bounds c=1:2:3: expected"),
        ("c=low:2", "--bounds c=low:2: expected"),
        ("x1=0:1", "--bounds: x1 stands twice, -1:1 and 0:1; drop one"),
    ],
)
def test_other_forms_are_refused(word, says):
    with pytest.raises(InputError) as caught:
        named_pairs("--bounds", ["x1=-1:1", word], form=FORM)
    assert str(caught.value).startswith(says)


def test_systems(tmp_path):
    toml = tmp_path / "jla.toml"
    toml.write_text('[jla]\ng = ["bd17.fits", 9.7]\nr = ["vega", 0.0]\n')
    assert systems("--zpsys", []) is None
    assert systems("--zpsys", ["vega"]) == "vega"
    assert systems("--zpsys", ["mine=s.fits", str(toml)]) == {
        "mine": "s.fits",
        "jla": {"g": ["bd17.fits", 9.7], "r": ["vega", 0.0]},
    }
    for words, says in (
        (["vega", "mine=s.fits"], "--zpsys vega is that of all magnitudes"),
        (["jla=s.fits", str(toml)], "--zpsys: jla stands twice"),
        ([str(tmp_path / "none.toml")], "expected a file in TOML; .*No such file"),
    ):
        with pytest.raises(InputError, match=says):
            systems("--zpsys", words)
    toml.write_text("[jla\n")
    with pytest.raises(InputError, match="expected a file in TOML"):
        systems("--zpsys", [str(toml)])
