"""Numbers and dates as the reader's language writes them. The forms are messages of the catalogue, as words are."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from django.template.defaultfilters import date as format_date
from django.utils.translation import get_language, override, pgettext, pgettext_lazy

MINUS: Final = "−"
NONE: Final = "–"
"""What stands for a number that there is none of."""

SHAPES: Final = {
    "D": pgettext_lazy("date", "D"),
    "D j": pgettext_lazy("date", "D j"),
    "D j M": pgettext_lazy("date", "D j M"),
    "D j M H:i": pgettext_lazy("date", "D j M H:i"),
    "D j M Y": pgettext_lazy("date", "D j M Y"),
    "D j M, H:i": pgettext_lazy("date", "D j M, H:i"),
    "F Y": pgettext_lazy("date", "F Y"),
    "H:i": pgettext_lazy("date", "H:i"),
    "M Y": pgettext_lazy("date", "M Y"),
    "Y": pgettext_lazy("date", "Y"),
    "j F H:i": pgettext_lazy("date", "j F H:i"),
    "j F Y": pgettext_lazy("date", "j F Y"),
    "j F Y H:i": pgettext_lazy("date", "j F Y H:i"),
    "j M": pgettext_lazy("date", "j M"),
    "j M H:i": pgettext_lazy("date", "j M H:i"),
    "j M Y": pgettext_lazy("date", "j M Y"),
    "j M Y H:i": pgettext_lazy("date", "j M Y H:i"),
    "l": pgettext_lazy("date", "l"),
    "l j F": pgettext_lazy("date", "l j F"),
    "l j F Y": pgettext_lazy("date", "l j F Y"),
    "l j F Y, H:i \\U\\T\\C": pgettext_lazy("date", "l j F Y, H:i \\U\\T\\C"),
}
"""Shapes of dates as templates name them (the letters of Django's filter `date`) → the shape in each language."""


class NumberForms(NamedTuple):
    """How a language writes numbers; `per_cent` is what follows the number."""

    point: str
    thousands: str
    per_cent: str


@lru_cache(maxsize=16)
def number_forms(language: str) -> NumberForms:
    """Return how a language writes numbers."""
    with override(language):
        return NumberForms(
            pgettext("decimal point", "."), pgettext("between thousands", ","), pgettext("after a number", "%")
        )


def _forms() -> NumberForms:
    return number_forms(get_language() or "en")


def decimal(value: float, digits: int) -> str:
    """Write a number with so many decimals, and with a minus sign in place of a hyphen."""
    return f"{value:.{digits}f}".replace("-", MINUS).replace(".", _forms().point)


def signed(value: float, digits: int) -> str:
    """Write a number with its sign; zero has none."""
    text = f"{abs(value):.{digits}f}"
    sign = "" if float(text) == 0.0 else "+" if value > 0 else MINUS
    return sign + text.replace(".", _forms().point)


def thousands(number: float) -> str:
    """Write a whole number with what the language puts between thousands: 10,000."""
    return f"{number:,.0f}".replace(",", _forms().thousands)


def per_cent(number: int | str) -> str:
    """Write a number of per cents: 45%."""
    return f"{number}{_forms().per_cent}"


def percent(share: float) -> str:
    """Write a share in per cent: 66%; one decimal only below 10: 4.2%."""
    value = 100.0 * share
    if value >= 9.95 or value == 0.0:
        return per_cent(round(value))
    return decimal(value, 1) + _forms().per_cent


def ordinal(place: int) -> str:
    """Write a place as an ordinal number: 1st, 2nd, 3rd, 11th."""
    if place % 10 == 1 and place % 100 != 11:
        text = pgettext("ordinal number", "{number}st")
    elif place % 10 == 2 and place % 100 != 12:
        text = pgettext("ordinal number", "{number}nd")
    elif place % 10 == 3 and place % 100 != 13:
        text = pgettext("ordinal number", "{number}rd")
    else:
        text = pgettext("ordinal number", "{number}th")
    return text.format(number=place)


def day(at: date, shape: str) -> str:
    """Write a date or moment in one of `SHAPES`; a moment is written as it stands in its zone."""
    return str(format_date(at, str(SHAPES[shape])))


def season(label: str) -> str:
    """Write the label of a season as people do: 2026–27; of the many of a simulated year the second is 2026–27 (2)."""
    years, _, number = label.partition(" S")
    name = years.replace("-", "–")
    return f"{name} ({int(number)})" if number.isdigit() and int(number) > 1 else name
