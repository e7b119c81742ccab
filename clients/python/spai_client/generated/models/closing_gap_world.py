from enum import StrEnum

class ClosingGapWorld(StrEnum):
    REAL = "real"
    SANDBOX = "sandbox"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "ClosingGapWorld | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
