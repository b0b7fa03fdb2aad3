"""A survey of raw frames that takes a second or two."""

import hashlib

SETTINGS = """
camera = "ztf"
ccds = [6]
quadrant_size = 40
recenter = true

[cadence]
log = "ztf"
nights = 60
fields = [[240.0, 40.0], [240.005, 40.003]]
bands = ["ztfg", "ztfr"]
interval_nights = 5.0
dither_deg = 0.001
exposures_per_band = 3

[supernovae]
n = 4
z_min = 0.02
z_max = 0.05
margin_days = [0.0, 0.0]

[stars]
mag_range = [14.0, 20.0]
density = 8.0

[series]
nights = 1
biases = 2
flats = 1
lamps = { ztfg = [2], ztfr = [7, 8] }
"""


def write_settings(folder, *changes):
    """The settings as a file, some words of them replaced."""
    text = SETTINGS
    for old, new in changes:
        assert old in text, f"{old} is not in the settings"
        text = text.replace(old, new)
    path = folder / "tiny.toml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def digests(folder):
    """SHA-256 of raw files and truth by path."""
    found = {}
    for path in sorted([*folder.glob("raw/**/*.fits*"), *folder.glob("truth/**/*.*")]):
        if path.is_file():
            content = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found
