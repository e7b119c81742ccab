"""Commands of the one-machine stack."""
