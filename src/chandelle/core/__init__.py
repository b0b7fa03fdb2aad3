"""What every layer stands on: units, precision, random keys, errors, flags, atomic writes."""
