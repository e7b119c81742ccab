"""The database backend; Django looks for it in a module of this name."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose check before each request costs no round trip."""

    def is_usable(self) -> bool:
        """Whether queries can be sent: the server has not closed the connection.

        A server that ends a connection, because it stops or because an administrator ended it, sends its reason, and
        the socket can be read. Only then, and after an error, Django's check by a query is needed.
        """
        if self.connection is None or self.connection.closed:
            return False
        socket = select.poll()
        socket.register(self.connection.fileno(), select.POLLIN)
        if self.errors_occurred or socket.poll(0):
            return super().is_usable()
        return True
