"""Management of matches."""
