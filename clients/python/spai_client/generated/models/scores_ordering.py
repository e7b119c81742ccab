from enum import StrEnum

class ScoresOrdering(StrEnum):
    KICKOFF_AT = "kickoff_at"
    VALUE_1 = "-kickoff_at"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "ScoresOrdering | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
