"""English dates are those of Great Britain, with the day before the month: the admin writes and reads them so."""

from django.conf.locale.en_GB.formats import *  # type: ignore[import-untyped]  # noqa: F403
