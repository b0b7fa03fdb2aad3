"""The shipped SALT model as sncosmo reads it."""

from pathlib import Path

import pytest

from chandelle.instrument.salt_files import read_salt, write_salt


@pytest.fixture(scope="session")
def salt_folder(tmp_path_factory) -> Path:
    """Write salt3-f22 out as a folder of text files."""
    folder = tmp_path_factory.mktemp("salt3-f22")
    write_salt(read_salt("salt3-f22"), folder)
    return folder
