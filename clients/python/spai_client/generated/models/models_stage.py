from enum import StrEnum

class ModelsStage(StrEnum):
    CANDIDATE = "candidate"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    DECLINED = "declined"
    FORMER_CHAMPION = "former champion"
    LABELLED = "labelled"
    PASSED_OVER = "passed over"
    REFUSED = "refused"
    SMOKE = "smoke"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "ModelsStage | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
