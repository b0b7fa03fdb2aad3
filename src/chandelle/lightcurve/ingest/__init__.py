"""Light curves of any kind, read, checked epoch by epoch and brought to nJy."""

from chandelle.lightcurve.ingest.bts import bts_targets
from chandelle.lightcurve.ingest.crossmatch import cross_match
from chandelle.lightcurve.ingest.dr2 import read_ztf_dr2
from chandelle.lightcurve.ingest.read import Source, read_lightcurves

__all__ = ["Source", "bts_targets", "cross_match", "read_lightcurves", "read_ztf_dr2"]
