"""Push: the events of the feed over websockets and as Server-Sent Events, from one copy in memory per process."""

from apps.api.push.admission import Admission
from apps.api.push.live import LiveFeed
from apps.api.push.streams import EventStream
from apps.api.push.websockets import EventSocket, not_found

__all__ = ["Admission", "EventSocket", "EventStream", "LiveFeed", "not_found"]
