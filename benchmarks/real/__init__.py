"""Real and published data as the benchmarks print them and the tests hold them."""
