"""From a Lemaitre diagram, or from SALT fits, to a posterior on cosmology."""

from chandelle.cosmology.stage import CosmologyConfig, fit_cosmology

__all__ = ["CosmologyConfig", "fit_cosmology"]
