"""Structured linear algebra; knows no supernova."""
