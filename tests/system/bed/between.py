# SPDX-License-Identifier: Apache-2.0
"""Something between the client and a real server that breaks on request: each
of the ways in which a server or the way to it fails, by name.

    near = self.bed.between("near", self.bed.nginx)
    near.url                                  # instead of the server's
    near.fault("stall in mid-body", path=".*a.bin")
    near.heal()

It is a bed.Lying whose honest answers are the server's: lie(), requests(),
mark() and on() are there as well.
"""
import datetime
import json
import os

from bed import wall
from bed.lying import Lying

# An HTML page with 200 where data should be: a login, a captive portal.
LOGIN = ("<!DOCTYPE html><html><head><title>Sign in</title></head><body>"
         "<form action=\"/login\"><input name=\"user\"></form></body></html>\n")
# As much of a body as comes before what is called mid-body.
SOME = 10000
# name: (lie, its arguments); of other faults: how, in Between
LIES = {
    "stall before header": ("stall", {}),
    "stall in mid-body": ("stall", {"at": SOME}),
    "reset in mid-body": ("reset", {"at": SOME}),
    "truncation": ("truncate", {"at": SOME}),
    "slow": ("drip", {"size": 1024, "every": 0.1}),  # 10 KiB/s
    "500": ("status", {"code": 500}),
    "502": ("status", {"code": 502}),
    "503": ("status", {"code": 503, "headers": {"Retry-After": "1"}}),
    "429": ("status", {"code": 429, "headers": {"Retry-After": "1"}}),
    "404": ("status", {"code": 404}),
    "403": ("status", {"code": 403}),
    "wrong size": ("size", {"by": 1000}),
    "wrong bytes": ("flip_all", {}),
    "login page": ("body", {"body": LOGIN, "headers": {
        "Content-Type": "text/html; charset=utf-8"}}),
}
OTHERS = ["refused", "black hole", "wrong name", "expired", "stale",
          "restart"]
FAULTS = [*LIES, *OTHERS]


class Between(Lying):
    program = "bed.relay"

    def __init__(self, bed, name, server):
        """@param server  of the bed, started; it may go and come back"""
        super().__init__(bed, name)
        self.server = server
        self.path = server.url.partition("//")[2].partition("/")[2]
        self.where = os.path.join(self.folder, "where.json")
        self.data = self.where
        self.walled = False

    def on(self, host):
        return f"https://{host}:{self.port}/{self.path}"

    def lead_to(self, server):
        """From the next request on."""
        with open(self.where + ".new", "w") as file:
            json.dump({"port": server.port, "ca": self.bed.ca.cert}, file)
        os.rename(self.where + ".new", self.where)

    def launch(self):
        self.lead_to(self.server)
        return super().launch()

    def fault(self, what, path=None, method=None, times=None, skip=0,
              stale=None, at=SOME):
        """
        @param what   one of FAULTS
        @param path, method, times, skip  as of lie(); what concerns the
                      connection concerns all
        @param stale  for "stale": the server that has the old bytes
        @param at     bytes of a body before what is called mid-body
        """
        if what in LIES:
            lie, more = LIES[what]
            if "at" in more:
                more = {"at": at}
            self.lie(lie, path=path, method=method, times=times, skip=skip,
                     **more)
        elif what == "refused":
            self.refuse()
        elif what == "black hole":
            self.walled = True
            wall.drop(self.port)
        elif what == "wrong name":
            self.show(*self.bed.ca.server(self.name + "-other",
                                          ["elsewhere.bed.test"]))
        elif what == "expired":
            self.show(*self.bed.ca.server(
                self.name + "-expired", ended=datetime.timedelta(hours=1)))
        elif what == "stale":
            self.lead_to(stale)
        elif what == "restart":
            # It comes back with its port, and without lies.
            self.restart()
        else:
            raise ValueError(f"no such fault: {what}")

    def heal(self):
        """All faults end; connections that were cut stay so."""
        if self.walled:
            wall.let(self.port)
            self.walled = False
        self.lead_to(self.server)
        self.show(self.cert, self.key)
        self.accept()
        self.honest()

    def stop(self, **how):
        if self.walled:
            wall.let(self.port)
            self.walled = False
        super().stop(**how)
