"""Formats of languages that differ from Django's, by which templates write numbers without a filter."""
