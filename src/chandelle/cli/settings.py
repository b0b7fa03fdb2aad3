"""Settings of a stage from its TOML file, overruled by what the command line says."""

from pathlib import Path
from typing import Any

from chandelle.core.config import StageConfig


def settings_of(kind: type[StageConfig], config: Path | None, **given: Any) -> dict[str, Any]:
    """Merge the settings of a file with options.

    Parameters
    ----------
    kind : type
        The stage's configuration; its defaults fill what neither says.
    config : Path, optional
        TOML file with the stage's settings.
    **given
        Options; None means not given.

    Returns
    -------
    dict
        Keyword arguments of the stage's function.

    Raises
    ------
    InputError
        If the file has an unknown key, or it or an option a value of the wrong type.
    """
    settings = kind.from_toml(config) if config is not None else kind()
    overruled = {name: value for name, value in given.items() if value is not None}
    return dict(kind.of("options", **{**dict(settings), **overruled}))
