"""What a live feed sends: bodies of lines, and lines that become records. Pure."""

from apps.api.feed.bodies import BYTES_LIMIT, Body, BodyError, read_body
from apps.api.feed.lines import LineError, OddsLine, read_line

__all__ = ["BYTES_LIMIT", "Body", "BodyError", "LineError", "OddsLine", "read_body", "read_line"]
