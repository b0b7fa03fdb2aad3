"""Engines that know no supernova: problem, maximum, NUTS, linear marginals, diagnostics."""
