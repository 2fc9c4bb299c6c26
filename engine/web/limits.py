"""What one client, and all of them, may take of the server."""

from __future__ import annotations

MOST_CONNECTIONS = 96
MOST_CONNECTIONS_OF_ONE = 48
"""Of one address: a browser with a page open needs about ten."""
MOST_TAKEN = 2 * MOST_CONNECTIONS
"""With those whose handshake of TLS goes on."""
CONNECTIONS_A_SECOND, CONNECTIONS_AT_ONCE = 100.0, 200.0
"""New ones; a flood beyond takes no time of the steps."""
FIRST_REQUEST_WITHIN_S = 5.0
"""From the connection, or from the last answer to one that has begun another request, to a whole request."""
IDLE_S = 30.0
"""So long a connection without a request stays open."""
ANSWERED_WITHIN_S = 30.0
"""From a request to the last byte of its answer, as slowly as the client may read; WebSockets have limits of their own."""
REQUESTS_A_SECOND, REQUESTS_AT_ONCE = 200.0, 400.0
"""Of all clients: a page needs about twenty at its start, an OSCQuery client one for each look."""
LARGEST_HEAD_BYTES = 16384
LONGEST_LINE_BYTES, MOST_HEADERS = 4096, 64

LARGEST_MESSAGE_BYTES = 16384
MESSAGES_A_SECOND, MESSAGES_AT_ONCE = 200.0, 400.0
"""Of one page. Each KiB counts as a message. What comes faster waits in the client's own buffers."""
MOST_CALLS_WAITING = 8
"""Of one page: things that take as long as a disk."""
STALLED_S = 5.0
"""A client that takes nothing for so long is dropped."""
MOST_PAGES = 24
