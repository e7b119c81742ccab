"""A simulated football world: seeded, endless, and honest about its own probabilities."""
