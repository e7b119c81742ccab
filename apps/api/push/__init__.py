"""Push over websockets: the consumer, and the reads of the numbered events that it replays."""

from apps.api.push.consumers import EventConsumer, not_found
from apps.api.push.event_feed import newest_event_number

__all__ = ["EventConsumer", "newest_event_number", "not_found"]
