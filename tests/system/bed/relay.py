# SPDX-License-Identifier: Apache-2.0
"""The process behind bed/between.py: a real server's answers, and lies.

The honest answer of this liar is what the server behind it says, asked over a
connection for each connection from the client.
"""
import http.client
import json
import ssl
import sys

from bed import stand
from bed.honest import PIECE, Plan
from bed.liar import Handler

# Of one connection, not of what is asked or answered (RFC 9110, 7.6.1).
OF_THE_HOP = {"connection", "keep-alive", "te", "transfer-encoding",
              "upgrade", "proxy-connection", "content-length", "expect"}


class Passing(Plan):
    """An answer whose body still comes."""

    def __init__(self, answer, status, headers, size):
        super().__init__(status, headers, size=size)
        self.answer = answer

    def pieces(self, step=PIECE):
        if self.answer is None:
            yield from super().pieces(step)
            return
        left = self.size
        while left:
            got = self.answer.read1(min(step, left))
            if not got:
                # It has promised more: so have we, and cut it as well.
                raise ConnectionError("the server behind cut its answer")
            left -= len(got)
            yield got
        # Only an empty read ends an answer for http.client; the next
        # request on its connection would be made twice.
        self.answer.read()

    def replace(self, body):
        super().replace(body)
        self.answer = None


class Relay(Handler):
    """@var root  a JSON file, read for each connection: {"port": of the
    server behind on localhost, "ca": whom to trust}"""
    behind = None
    # Of which server; another one is asked over a connection of its own.
    port = None

    def connection_behind(self):
        with open(self.root) as file:
            where = json.load(file)
        if self.behind is not None and self.port != where["port"]:
            self.hang_up()
        if self.behind is None:
            self.port = where["port"]
            self.behind = http.client.HTTPSConnection(
                "localhost", self.port, timeout=600,
                context=ssl.create_default_context(cafile=where["ca"]))
        return self.behind

    def hang_up(self):
        if self.behind is not None:
            self.behind.close()
        self.behind = None

    def finish(self):
        self.hang_up()
        super().finish()

    def ask(self, whole):
        connection = self.connection_behind()
        connection.putrequest(self.command, self.path, skip_host=True,
                              skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() in OF_THE_HOP or \
                    (whole and name.lower() == "range"):
                continue
            connection.putheader(name, value)
        if self.request_body or self.command == "PUT":
            connection.putheader("Content-Length",
                                 str(len(self.request_body)))
        connection.endheaders(self.request_body or None)
        return connection.getresponse()

    def plan(self, whole=False):
        reused = self.behind is not None
        try:
            try:
                answer = self.ask(whole)
            except (OSError, http.client.HTTPException):
                # An idle connection may have been closed meanwhile.
                self.hang_up()
                if not reused:
                    raise
                answer = self.ask(whole)
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return Plan(502)
        headers = {}
        for name, value in answer.headers.items():
            if name.lower() not in OF_THE_HOP:
                headers.setdefault(name, []).append(value)
        headers = {name: value[0] if len(value) == 1 else value
                   for name, value in headers.items()}
        size = answer.headers.get("Content-Length")
        if self.command == "HEAD" or answer.status in (204, 304):
            if size is not None:
                headers["Content-Length"] = size
            answer.read()
            return Plan(answer.status, headers)
        if size is None:
            return Plan(answer.status, headers, answer.read())
        return Passing(answer, answer.status, headers, int(size))


if __name__ == "__main__":
    stand.main(Relay, *sys.argv[1:])
