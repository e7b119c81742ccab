"""Numbers without a filter stand in attributes of SVG, which know the decimal point alone."""

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ""
