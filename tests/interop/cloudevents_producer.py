"""Publishes with the official CloudEvents SDK, in both of its shapes of the API, and leases what was published.

What is leased by the safe poll is a CloudEvent again: the SDK reads it, and it is what was sent.
"""

import base64
import datetime
import json
import os
import sys
import urllib.request

from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import CloudEvent as EarlierCloudEvent
from cloudevents.v1.http import to_binary, to_structured

API = os.environ["API"]
SUBSCRIPTION = "quickstart"
# Messages from this number on are made with the SDK's earlier API.
EARLIER = 2


def call(method, path, headers, body=None):
    request = urllib.request.Request(API + path, method=method, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, json.loads(answer.read())


def token():
    basic = base64.b64encode(b"quickstart:quickstart-secret").decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    return call("POST", "/oauth2/token", headers, b"grant_type=client_credentials")[1]["access_token"]


def attributes(number):
    common = {"id": f"sdk-{number}", "type": "301"}
    if number >= EARLIER:
        # The earlier API does not encode what a header cannot hold.
        return common | {"source": "/cloudevents/sdk", "subject": "a subject", "comexampleextension": "kept",
                         "datacontenttype": "application/json"}
    return common | {
        "source": "/cloudevents/sdk?é=1",
        "subject": 'a "subject" at 100 %, ü',
        "comexampleextension": "kept €",
    }


def messages():
    """Name, headers and body of each message."""
    time = datetime.datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=datetime.timezone.utc)
    data = {"user": {"id": "42"}, "text": "é", "number": 1.5}
    event = lambda number: CloudEvent(attributes(number) | {"time": time, "datacontenttype": "application/json"}, data)
    for number, (name, write) in enumerate([("binary", to_binary_event), ("structured", to_structured_event)]):
        message = write(event(number))
        yield name, dict(message.headers), message.body
    earlier = lambda number: EarlierCloudEvent(attributes(number) | {"time": time.isoformat()}, data)
    for number, (name, write) in enumerate([("earlier binary", to_binary), ("earlier structured", to_structured)], EARLIER):
        headers, body = write(earlier(number))
        yield name, dict(headers), body if isinstance(body, bytes) else body.encode()


def main():
    bearer = {"Authorization": f"Bearer {token()}"}
    for name, headers, body in messages():
        status, receipt = call("POST", "/v1/events", bearer | headers, body)
        if status != 202 or receipt["matched"] != 1 or receipt["duplicate"]:
            sys.exit(f"45-cloudevents: {name}: {status} {receipt}")
    lease = json.dumps({"returnImmediately": True}).encode()
    path = f"/v1/subscriptions/{SUBSCRIPTION}/poll"
    _, page = call("POST", path, bearer | {"Content-Type": "application/json"}, lease)
    if len(page["order"]) != 4:
        sys.exit(f"45-cloudevents: leased {page}")
    for number, notification in enumerate(page["order"]):
        event = JSONFormat().read(CloudEvent, json.dumps(page["sets"][notification]))
        for name, value in attributes(number).items():
            if event.get_attributes()[name] != value:
                sys.exit(f"45-cloudevents: {name} of {number} is {event.get_attributes()[name]!r}")
        if event.get_data()["number"] != 1.5 or event.get_data()["text"] != "é":
            sys.exit(f"45-cloudevents: the data of {number} is {event.get_data()}")
    ack = json.dumps({"ack": page["order"], "maxEvents": 0}).encode()
    call("POST", path, bearer | {"Content-Type": "application/json"}, ack)
    print("ok: the SDK's events in binary and structured mode, and back through the safe poll")


main()
