"""Logs of exposures: drawn for a survey from its sky, nights and weather, or read."""
