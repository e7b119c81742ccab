from enum import StrEnum

class TopicEnum(StrEnum):
    COMPARISON_MADE = "comparison.made"
    LEDGER_PUBLISHED = "ledger.published"
    MATCH_CHANGED = "match.changed"
    PREDICTION_PUBLISHED = "prediction.published"
    PROMOTION_MADE = "promotion.made"
    RUN_CHANGED = "run.changed"
    SCORE_SETTLED = "score.settled"
    SCRAPE_TROUBLED = "scrape.troubled"

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "TopicEnum | None":
        """Take a value that a newer server has and this package does not know."""
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
