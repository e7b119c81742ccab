"""Numbers without a filter are in attributes of SVG, which accept only the decimal point."""

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ""
