from enum import StrEnum

class ModelsOrdering(StrEnum):
    VALUE_0 = "-version"
    VERSION = "version"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "ModelsOrdering | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
