"""A port of loopback that is ours for as long as we hold it: bench/port.h for tests in Python."""
import socket


class Port:
    """Held by a socket that is bound and never listens, until `give_back`.

    Connections to it are refused, so it is the address of a server that is down. A server that sets
    SO_REUSEADDR (sqld, those of Python and of Go) can be started there, ended and started again.
    bench/port.h tells why nobody else gets it meanwhile.
    """

    def __init__(self):
        self.socket = socket.socket()
        # Without SO_REUSEADDR none that another holds; with it, later, a server can bind besides.
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.number = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.number}"

    def give_back(self):
        self.socket.close()
