"""Receives webhooks and verifies each with the libraries that others maintain for Python: standardwebhooks and svix.

    webhook_receiver.py <file for its port> <file for its findings> <current secret> <earlier> <ended> <stranger's>

A finding is a line of JSON for each request: path, id, what the event says, and what is wrong with it ("" if nothing is).
Both of the rotated pair must verify it; a secret that has ended, a stranger's, and a changed body must not.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import standardwebhooks
import svix.webhooks

port_file, findings, *secrets = sys.argv[1:]
current, earlier, ended, stranger = secrets
LIBRARIES = {"standardwebhooks": standardwebhooks.Webhook, "svix": svix.webhooks.Webhook}
WRONG = (standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError)


def refused(verifier, body, headers):
    try:
        verifier.verify(body, headers)
    except WRONG:
        return True
    # What is verified and then is no JSON raises something else, and was not refused.
    return False


def accepted(verifier, body, headers):
    try:
        verifier.verify(body, headers)
    except json.JSONDecodeError:
        # An event without data has no body in binary mode.
        return body == b""
    return True


def fault(body, headers):
    for name, library in LIBRARIES.items():
        for which, secret in [("current", current), ("earlier", earlier)]:
            try:
                if not accepted(library(secret), body, headers):
                    return f"{name} cannot read what the {which} secret verifies"
            except WRONG as error:
                return f"{name} with the {which} secret: {error}"
        for which, secret in [("ended", ended), ("stranger's", stranger)]:
            if not refused(library(secret), body, headers):
                return f"{name} verifies it with the {which} secret"
        if not refused(library(current), body + b" ", headers):
            return f"{name} verifies a changed body"
    return ""


def event_of(body, headers):
    """Type and data, in structured or binary mode."""
    if headers.get("content-type") == "application/cloudevents+json":
        event = json.loads(body)
        return event["specversion"], event["type"], event.get("data")
    return headers["ce-specversion"], unquote(headers["ce-type"]), json.loads(body) if body else None


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        wrong = fault(body, headers)
        version, event_type, data = event_of(body, headers)
        finding = {"path": self.path, "id": headers["webhook-id"], "version": version, "type": event_type, "data": data}
        with open(findings, "a", encoding="utf-8") as out:
            out.write(json.dumps(finding | {"wrong": wrong}) + "\n")
        self.send_response(204 if not wrong else 500)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
with open(port_file + ".new", "w", encoding="utf-8") as out:
    out.write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()
