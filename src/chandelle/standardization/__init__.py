"""From SALT fits to a Lemaitre diagram."""

from chandelle.standardization.stage import StandardizeConfig, standardize

__all__ = ["StandardizeConfig", "standardize"]
