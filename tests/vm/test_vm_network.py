#!/usr/bin/env python3
"""Two virtual machines at once, in one network: each has its name and address, and they talk."""
import os
import unittest

from jarvis_vm import main, start

SERVER = """
import socket
listener = socket.create_server(("10.77.0.1", 7000))
print("listening", flush=True)
peer, address = listener.accept()
with peer, peer.makefile("rw") as channel:
    print(channel.readline().strip(), "from", address[0])
    channel.write(f"welcome from {socket.gethostname()}\\n")
    channel.flush()
    assert channel.read() == "x" * 1_000_000, "not all came"
"""
# It may be up before the server is.
CLIENT = """
import socket, time
while True:
    try:
        peer = socket.create_connection(("10.77.0.1", 7000), timeout=30)
        break
    except OSError:
        time.sleep(0.2)
with peer, peer.makefile("rw") as channel:
    channel.write(f"this is {socket.gethostname()}\\n")
    channel.flush()
    print(channel.readline().strip())
    channel.write("x" * 1_000_000)
"""


class TwoMachines(unittest.TestCase):
    def test_they_talk_over_tcp(self):
        net = {"net": f"test-{os.getpid()}-{os.urandom(4).hex()}", "memory": "512M", "timeout": 600}
        with (start("python3", "-c", SERVER, cpus=1, hostname="server", ip="10.77.0.1/24", **net) as server,
              start("python3", "-c", CLIENT, cpus=2, hostname="client", ip="10.77.0.2/24", **net) as client):
            heard, answered = server.wait(), client.wait()
        self.assertEqual((heard.code, heard.out), (0, "listening\nthis is client from 10.77.0.2\n"), heard)
        self.assertEqual((answered.code, answered.out), (0, "welcome from server\n"), answered)


main()
