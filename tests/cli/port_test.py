#!/usr/bin/env python3
"""The ports that tests in Python hold: refused to everybody, given to nobody twice."""
import contextlib
import multiprocessing
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from port import Port

CHOOSERS, PICKS = 8, 100


def choose(numbers, go):
    """Hold ports, and sockets bound to any port, as servers have that choose their own."""
    taken = []
    with contextlib.ExitStack() as end:
        for _ in range(PICKS):
            port = Port()
            end.callback(port.give_back)
            other = end.enter_context(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", 0))
            taken += [port.number, other.getsockname()[1]]
        numbers.put(taken)
        go.wait()


class Ports(unittest.TestCase):
    def setUp(self):
        self.port = Port()
        self.addCleanup(self.port.give_back)

    def assert_refused(self):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port.number)).close()

    def test_held_port__is_refused_to_all_but_a_server_of_ours(self):
        self.assert_refused()
        with socket.socket() as stranger, self.assertRaises(OSError):
            stranger.bind(("127.0.0.1", self.port.number))
        for _ in range(3):
            with socket.create_server(("127.0.0.1", self.port.number)):
                socket.create_connection(("127.0.0.1", self.port.number)).close()
            self.assert_refused()

    def test_many_at_once__get_no_port_twice(self):
        numbers, go = multiprocessing.Queue(), multiprocessing.Event()
        choosers = [multiprocessing.Process(target=choose, args=(numbers, go), daemon=True)
                    for _ in range(CHOOSERS)]
        for chooser in choosers:
            chooser.start()
        taken = [number for _ in choosers for number in numbers.get(timeout=60)]
        go.set()
        for chooser in choosers:
            chooser.join()
            self.assertEqual(chooser.exitcode, 0)
        self.assertEqual(len(taken), 2 * CHOOSERS * PICKS)
        self.assertEqual(len(set(taken)), len(taken))


if __name__ == "__main__":
    unittest.main()
