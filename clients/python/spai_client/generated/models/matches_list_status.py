from enum import StrEnum

class MatchesListStatus(StrEnum):
    ABANDONED = "abandoned"
    AWARDED = "awarded"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    LIVE = "live"
    POSTPONED = "postponed"
    SCHEDULED = "scheduled"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "MatchesListStatus | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
