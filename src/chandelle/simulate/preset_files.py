"""Presets: settings that come with the package, a file each, and those of users in their place."""

from pathlib import Path

from chandelle.core.errors import InputError

_FILES = (".toml", ".csv", ".parquet")


def is_path(word: str) -> bool:
    """Whether a setting is meant as a path, not as the name of something of chandelle."""
    return "/" in word or Path(word).suffix in _FILES


def presets_in(folder: Path) -> list[Path]:
    """Files of the presets of a folder, by name."""
    return sorted(folder.glob("*.toml"))


def preset_file(name: str | Path, folder: Path) -> Path:
    """File of settings: that of a preset of a folder, or one of the user.

    Raises
    ------
    InputError
        If it is neither.
    """
    path = folder / f"{name}.toml"
    if path.is_file():
        return path
    if Path(name).suffix == ".toml":
        return Path(name)
    known = ", ".join(each.stem for each in presets_in(folder))
    raise InputError(f"no preset {name}; there are {known}, or give a file of settings (.toml)")
