from enum import StrEnum

class NameEnum(StrEnum):
    DOWN = "down"
    FIRST = "first"
    PLAY_OFF = "play_off"
    SECOND = "second"
    TITLE = "title"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "NameEnum | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
