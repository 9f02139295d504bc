"""Ends well when the service of this container says that it is ready: what its health check runs.

Nothing but a socket: six services are asked every five seconds, and an HTTP client would cost
several times as much as the answer.
"""

import os
import socket
import sys

SECONDS_MAX = 5


def is_ready(port: int) -> bool:
    """Whether `/readyz` on this machine's `port` answers 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            status_line = connection.makefile("rb").readline(256)
    except OSError:
        return False
    return status_line.split()[1:2] == [b"200"]


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(os.environ["OPS_PORT"])) else 1)
