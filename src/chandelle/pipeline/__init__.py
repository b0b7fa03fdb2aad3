"""The chain of a survey: which stage reads what; run what is missing or stale; status."""
