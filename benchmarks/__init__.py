"""Measurements: one command each, one table for people, the same numbers as JSON for programs."""
