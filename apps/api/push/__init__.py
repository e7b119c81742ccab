"""Push over websockets: the consumers, and the numbered events that they replay."""

from apps.api.push.consumers import EventConsumer, not_found
from apps.api.push.event_feed import events_after, newest_event_number

__all__ = ["EventConsumer", "events_after", "newest_event_number", "not_found"]
