# SPDX-License-Identifier: Apache-2.0
"""What the bed's own servers stand on: sockets with and without TLS, a record
of all requests, and the orders of the test, which come over a Unix socket."""
import http.server
import json
import os
import re
import socket
import ssl
import sys
import threading
import time


class State:
    """What is shared by the connections, under one lock."""

    def __init__(self, handler):
        self.handler = handler
        self.lock = threading.Lock()
        self.lies = []
        self.requests = []
        self.connections = 0
        self.free_at = 0  # see turn()
        self.release = threading.Event()
        self.stands = []

    def record(self, entry):
        """Note a request; return the lie for it, if any."""
        with self.lock:
            entry["number"] = len(self.requests)
            self.requests.append(entry)
            for lie in self.lies:
                if not fits(lie, entry):
                    continue
                lie["seen"] += 1
                if lie["seen"] <= lie["skip"]:
                    continue
                if lie["times"] is not None and \
                        lie["seen"] > lie["skip"] + lie["times"]:
                    continue
                entry["lie"] = lie["what"]
                return lie
        return None

    def command(self, order):
        """What the test wants: do_NAME with the rest as its arguments."""
        what = order.pop("do")
        found = getattr(self, "do_" + what, None)
        if found is None:
            raise ValueError("no such order: " + what)
        with self.lock:
            return found(**order)

    def turn(self, seconds):
        """Seconds until one may go on that takes so long, where only one can
        at a time."""
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + seconds
            return self.free_at - now

    def do_lie(self, **lie):
        if not hasattr(self.handler, "lie_" + lie["what"]):
            raise ValueError("no such lie: " + lie["what"])
        self.lies.append(dict(lie, seen=0))

    def do_honest(self):
        self.lies.clear()
        self.release.set()
        self.release = threading.Event()

    def do_config(self, settings):
        self.handler.config.update(settings)

    def do_requests(self, since):
        return self.requests[since:]

    def do_count(self):
        return len(self.requests)

    def do_show(self, cert, key):
        for one in self.stands:
            if one.tls:
                one.show(cert, key)

    def do_refuse(self):
        for one in self.stands:
            one.close()

    def do_accept(self):
        for one in self.stands:
            one.open()


def fits(lie, entry):
    if lie["path"] is not None and \
            not re.fullmatch(lie["path"], entry["path"]):
        return False
    if lie["method"] is not None and \
            entry["method"] not in lie["method"].split("|"):
        return False
    return lie["ranged"] is None or \
        lie["ranged"] == ("range" in entry["headers"])


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # The threads of a closed listener are not waited for.
    block_on_close = False
    request_queue_size = 256

    def __init__(self, stand):
        self.stand = stand
        super().__init__(("127.0.0.1", stand.port), stand.handler)

    def finish_request(self, request, client):
        """In the connection's own thread, TLS included: a client that says
        nothing keeps nobody waiting."""
        plain = request
        try:
            self.stand.hold(plain)
            request.settimeout(600)
            if self.stand.tls:
                request = self.stand.tls.wrap_socket(
                    request, server_side=True, suppress_ragged_eofs=True)
                self.stand.swap(plain, request)
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().finish_request(request, client)
        except OSError:
            pass  # a client that went away
        finally:
            self.stand.let_go(request)
            request.close()

    def handle_error(self, request, client):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client)


class Stand:
    """One port, open or closed, and the connections that came there."""

    def __init__(self, handler, port, cert=None, key=None):
        self.handler = handler
        self.port = port
        self.lock = threading.Lock()
        self.held = set()
        self.listener = None
        self.tls = None
        if cert:
            self.show(cert, key)

    def show(self, cert, key):
        """From the next connection on. A context is not changed under those
        that use it."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, key)
        self.tls = tls

    def open(self):
        if self.listener is None:
            self.listener = Listener(self)
            threading.Thread(target=self.listener.serve_forever,
                             args=(0.05,), daemon=True).start()

    def close(self):
        if self.listener is None:
            return
        self.listener.shutdown()
        self.listener.server_close()
        self.listener = None
        with self.lock:
            held, self.held = self.held, set()
        for sock in held:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it went by itself

    def hold(self, sock):
        with self.lock:
            self.held.add(sock)

    def swap(self, before, after):
        with self.lock:
            self.held.discard(before)
            self.held.add(after)

    def let_go(self, sock):
        with self.lock:
            self.held.discard(sock)


def hear(path):
    """The socket on which orders come; one of a server before is gone."""
    if os.path.exists(path):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(16)
    return sock


def obey(state, sock):
    """Orders from the test, one connection and one line each."""
    while True:
        connection, _ = sock.accept()
        with connection, connection.makefile("rw") as stream:
            try:
                value = {"value": state.command(
                    json.loads(stream.readline()))}
            except (ValueError, KeyError, TypeError, OSError) as error:
                value = {"error": repr(error)}
            stream.write(json.dumps(value) + "\n")


def main(handler, root, port, http_port, cert, key, control):
    """Serve for ever.

    @param handler  a bed.liar.Handler
    @param root     the folder of its files, or what it makes of it
    """
    handler.root = os.path.realpath(root)
    handler.state = state = State(handler)
    state.stands = [Stand(handler, int(port), cert, key),
                    Stand(handler, int(http_port))]
    # First: once it serves it is taken for ready.
    orders = hear(control)
    for one in state.stands:
        one.open()
    obey(state, orders)
