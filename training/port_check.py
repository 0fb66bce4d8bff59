"""Whether the service can listen where it is about to be started."""

import os
import socket

from data_schemas.refusal import Refused


class PortRefused(Refused):
    """A port on which nothing can be started."""


def expect_free(port: int) -> None:
    """Make sure that nobody listens on a port of this machine.

    Raises
    ------
    PortRefused
        If somebody does, or if the port may not be taken.
    """
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no such port"
        message = f"port {port} cannot be listened on ({why}): stop what runs there, "
        raise PortRefused(f"{message}or take another one, as in `make serve PORT=3001`") from None
