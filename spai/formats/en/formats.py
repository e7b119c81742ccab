"""British formats for English: the admin shows and reads dates with the day before the month."""

from django.conf.locale.en_GB.formats import *  # type: ignore[import-untyped]  # noqa: F403
