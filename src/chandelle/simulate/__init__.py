"""Truth and noise: supernovae drawn from a population, observed by surveys, with what was drawn."""
