"""Push: the events of the feed over websockets and as Server-Sent Events, from one copy in memory per process."""

from apps.api.push.connections import OpenConnections
from apps.api.push.consumers import EventSocket, not_found
from apps.api.push.live import LiveFeed
from apps.api.push.streams import EventStream

__all__ = ["EventSocket", "EventStream", "LiveFeed", "OpenConnections", "not_found"]
