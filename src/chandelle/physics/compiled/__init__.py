"""Twins of SALT kernels as plain loops for the CPU, equal to the JAX ones by test."""
