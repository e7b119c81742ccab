from enum import StrEnum

class WeaknessEnum(StrEnum):
    FALLBACK = "fallback"
    LONG_BREAK = "long_break"
    NEW_CLUB = "new_club"
    NO_STATISTICS = "no_statistics"
    PROMOTED = "promoted"
    RELEGATED = "relegated"
    SEASON_START = "season_start"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "WeaknessEnum | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
