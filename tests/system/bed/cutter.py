# SPDX-License-Identifier: Apache-2.0
"""A line that breaks in mid-upload: bytes pass unread between a client and a
server of the bed (TLS stays between these two), and are counted.

    line = Cutter(self.bed.xrootd.port)
    line.cut(after=1 << 20, times=1)    # of a connection's bytes upwards
    line.stall(after=1 << 20)           # nothing passes any more
    line.heal()
"""
import select
import socket
import struct
import threading

PIECE = 64 * 1024


class Cutter:
    def __init__(self, port):
        self.behind = port
        self.fault = None  # (kind, after)
        self.left = 0
        self.cuts = 0
        self.healed = threading.Event()
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self, after, times=1 << 30):
        with self.lock:
            self.fault, self.left = ("cut", after), times

    def stall(self, after):
        with self.lock:
            self.fault, self.left = ("stall", after), 1 << 30

    def heal(self):
        with self.lock:
            self.fault = None
        self.healed.set()
        self.healed = threading.Event()

    def close(self):
        self.heal()
        self.socket.close()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def breaks(self, passed):
        """The fault that this connection has now, if any."""
        with self.lock:
            if self.fault is None or self.left == 0 or \
                    passed < self.fault[1]:
                return None
            self.left -= 1
            self.cuts += 1
            return self.fault[0]

    def serve(self, client):
        try:
            with client, socket.create_connection(
                    ("127.0.0.1", self.behind)) as server:
                self.passing(client, server)
        except OSError:
            pass

    def passing(self, client, server):
        passed = 0
        while True:
            for one in select.select([client, server], [], [], 60)[0]:
                data = one.recv(PIECE)
                if not data:
                    return
                if one is server:
                    client.sendall(data)
                    continue
                passed += len(data)
                kind = self.breaks(passed)
                if kind == "stall":
                    self.healed.wait(600)
                    return
                if kind == "cut":
                    for end in (client, server):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
                    return
                server.sendall(data)
