"""The fit as plain loops for the CPU, one supernova after the other; equal to JAX's by test."""
