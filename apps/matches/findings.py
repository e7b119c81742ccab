"""What checks of an installation find, for `manage.py spai doctor` and `manage.py scrape doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with advice where not all is well.

    `said` is the result in words; `is_needed` is False for what SPAI works without. The names of the fields are part of
    the JSON output.
    """

    about: str
    is_well: bool
    said: str
    advice: str = ""
    is_needed: bool = True

    @property
    def is_fault(self) -> bool:
        """Whether an operator has to do something for SPAI to work."""
        return self.is_needed and not self.is_well

    @property
    def lines(self) -> str:
        """The finding for people: how it is, and below it what to do."""
        word = "ok  " if self.is_well else "LOOK" if self.is_needed else "note"
        advice = f"\n     {self.advice}" if self.advice else ""
        return f"{word} {self.about}: {self.said}{advice}"
