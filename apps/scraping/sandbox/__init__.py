"""A simulated football world: seeded, endless, and its true probabilities known."""
