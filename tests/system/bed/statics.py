# SPDX-License-Identifier: Apache-2.0
"""The process behind bed/issuer.py: a folder of JSON files over HTTPS."""
import functools
import http.server
import ssl
import sys


class Quick(http.server.SimpleHTTPRequestHandler):
    timeout = 60

    def guess_type(self, path):
        return "application/json"


class Threaded(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None

    def finish_request(self, request, client):
        try:
            request.settimeout(60)
            request = self.context.wrap_socket(request, server_side=True)
            super().finish_request(request, client)
        except OSError:
            pass  # a probe of the port, or a client that went away
        finally:
            request.close()


def serve(folder, port, cert, key):
    Threaded.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Threaded.context.load_cert_chain(cert, key)
    handler = functools.partial(Quick, directory=folder)
    with Threaded(("127.0.0.1", int(port)), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    serve(*sys.argv[1:])
