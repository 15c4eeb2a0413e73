# SPDX-License-Identifier: Apache-2.0
"""One HTTPS request, as a witness beside the mount."""
import collections
import http.client
import ssl
import urllib.parse

Answer = collections.namedtuple("Answer", "status headers body")


def ask(url, token=None, method="GET", headers=None, body=None, ca=None,
        timeout=60):
    """@return Answer(status, headers, body); OSError, HTTPException as they
    come. The path goes out as it stands in `url`."""
    parts = urllib.parse.urlsplit(url)
    context = ssl.create_default_context(cafile=ca) if ca \
        else ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=timeout, context=context)
    sent = dict(headers or {})
    if token:
        sent["Authorization"] = "Bearer " + token
    path = parts.path + ("?" + parts.query if parts.query else "")
    try:
        connection.request(method, path or "/", body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()
