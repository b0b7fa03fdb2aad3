"""Light curves of any kind, read, checked epoch by epoch and brought to nJy."""

from chandelle.lightcurve.ingest.crossmatch import cross_match
from chandelle.lightcurve.ingest.read import Source, read_lightcurves

__all__ = ["Source", "cross_match", "read_lightcurves"]
