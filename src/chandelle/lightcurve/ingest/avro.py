"""Avro files read with care: the schema they carry is checked before it is followed."""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from chandelle.core.errors import InputError

MAX_SCHEMA = 1_000_000
"""Largest schema of a file [byte]; that of ZTF has 20 kB."""
_HEADER = {
    "type": "record",
    "name": "header",
    "fields": [
        {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
        {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": 16}},
    ],
}
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
    SchemaParseException,
    UnknownType,
)
"""What reading something else than Avro was seen to raise."""
_PRIMITIVES = ("boolean", "int", "long", "float", "double", "bytes", "string")


def read_avro(content: bytes, *, file: str) -> list[dict[str, Any]]:
    """Read all records of one Avro object container.

    The schema is data, nothing of it is run. Refused are: compressed blocks, whose size is not
    known beforehand; types that contain themselves; arrays of items that take no byte, of which a
    small file can declare a billion.

    Parameters
    ----------
    content : bytes
        The file, its size bounded by whoever read it.
    file : str
        Its name, for messages.

    Returns
    -------
    list of dict
        The records.

    Raises
    ------
    InputError
        If it is not Avro, cut short, or one of the above.
    """
    try:
        meta = _meta(content)
        codec = meta.get("avro.codec", b"null").decode()
        if codec != "null":
            raise InputError(f"{file}: Avro codec {codec}; unpack the blocks first (codec null)")
        schema = meta["avro.schema"]
        if len(schema) > MAX_SCHEMA:
            raise InputError(f"{file}: an Avro schema of {len(schema)} bytes; expected one of ZTF")
        if _least_bytes(json.loads(schema), {}, file=file) == 0:
            raise InputError(f"{file}: Avro records that take no byte; not a ZTF packet")
        records: list[Any] = list(fastavro.reader(BytesIO(content)))
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(
            f"{file}: expected a whole Avro file, {type(error).__name__}: {error}"
        ) from error
    return [record for record in records if isinstance(record, dict)]


def _meta(content: bytes) -> Mapping[str, bytes]:
    if content[:4] != b"Obj\x01":
        raise ValueError("it does not begin with the mark of Avro")
    header: Any = fastavro.schemaless_reader(BytesIO(content), _HEADER, None)
    return header["meta"]


def _least_bytes(schema: Any, known: dict[str, int | None], *, file: str) -> int:
    """Least number of bytes that a value of this schema takes in the file.

    `known` holds the types named so far; None while one is being defined.
    """
    if isinstance(schema, list):
        return 1 + min((_least_bytes(kind, known, file=file) for kind in schema), default=0)
    if isinstance(schema, str):
        if schema in _PRIMITIVES:
            return 1
        if schema == "null":
            return 0
        size = known.get(schema, known.get(schema.rpartition(".")[2]))
        if size is None:
            raise InputError(f"{file}: Avro type {schema} contains itself or is not defined")
        return size
    kind = schema["type"]
    if kind in ("array", "map"):
        items = _least_bytes(schema["items" if kind == "array" else "values"], known, file=file)
        if kind == "array" and items == 0:
            raise InputError(f"{file}: an Avro array whose items take no byte; not a ZTF packet")
        return 1
    if kind in ("record", "error", "enum", "fixed"):
        name = schema["name"].rpartition(".")[2]
        known[name] = None
        known[name] = _least_of_named(schema, known, file=file)
        return known[name] or 0
    return _least_bytes(kind, known, file=file)


def _least_of_named(schema: Mapping[str, Any], known: dict[str, int | None], *, file: str) -> int:
    if schema["type"] == "enum":
        return 1
    if schema["type"] == "fixed":
        return int(schema["size"])
    return sum(_least_bytes(field["type"], known, file=file) for field in schema["fields"])
