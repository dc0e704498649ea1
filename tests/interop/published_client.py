"""Subscribes, drains and unsubscribes as the published polling contract has it, with a stock OAuth2 client.

Nothing here knows of Tidings but its base URL and its credentials, and the events that are published to have
something to poll.
"""

import json
import os
import re

# The library insists on TLS; here all is on the loopback address.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

API = os.environ["API"]
SUBSCRIPTIONS = f"{API}/notification/v1/subscriptions"
CLIENT, SECRET = "quickstart", "quickstart-secret"
EVENTS = 250
TIMEOUT = 10
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def session() -> OAuth2Session:
    """A session with a token of its own, fetched with client credentials."""
    oauth = OAuth2Session(client=BackendApplicationClient(client_id=CLIENT))
    token = oauth.fetch_token(f"{API}/oauth2/token", auth=(CLIENT, SECRET), timeout=TIMEOUT)
    assert token["token_type"] == "Bearer" and token["expires_in"] > 0, token
    return oauth


def expect(response: requests.Response, status: int):
    """The answer's JSON, if it has this status."""
    assert response.status_code == status, f"{status} expected, not {response.status_code}: {response.text}"
    return response.json() if response.content else None


def expect_error(response: requests.Response, status: int, code: str) -> None:
    """An error in the contract's own body: both generations of clients find the code."""
    error = expect(response, status)
    assert error["code"] == error["error_code"] == code, error
    assert error["message"] and error["description"], error


def subscribe(oauth: OAuth2Session) -> str:
    body = {"event_type_ids": ["301"], "client_id": CLIENT}
    response = oauth.post(SUBSCRIPTIONS, json=body, timeout=TIMEOUT)
    created = expect(response, 201)
    subscription = created["subscription"]
    assert subscription["client_id"] == CLIENT and subscription["event_type_ids"] == ["301"], created
    assert INSTANT.fullmatch(subscription["subscription_date"]), created
    assert "last_request_date" not in created["subscription_status"], created
    assert response.headers["Location"].endswith(created["id"]), response.headers
    return created["id"]


def publish(oauth: OAuth2Session) -> None:
    batch = [
        {"specversion": "1.0", "id": f"event-{n}", "source": "/interop", "type": "301", "data": {"user": {"id": str(n)}}}
        for n in range(EVENTS)
    ]
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    response = oauth.post(f"{API}/v1/events", data=json.dumps(batch), headers=headers, timeout=TIMEOUT)
    receipts = expect(response, 202)
    assert [receipt["notifications"]["poll"] for receipt in receipts] == [2] * EVENTS, receipts[:3]


def drain(oauth: OAuth2Session, url: str) -> list:
    """Polls until an empty page, as the contract tells clients to."""
    results = []
    while True:
        response = oauth.get(url, timeout=TIMEOUT)
        page = expect(response, 200)
        assert page["page"] == 1 and page["size"] == 100, page
        assert "no-store" in response.headers["Cache-Control"], response.headers
        if not page["results"]:
            return results
        results += page["results"]


def main() -> None:
    oauth = session()
    identifier = subscribe(oauth)
    publish(oauth)

    subscription = expect(oauth.get(f"{SUBSCRIPTIONS}/{identifier}", timeout=TIMEOUT), 200)
    assert subscription["subscription_status"]["number_of_remaining_notifications"] == EVENTS, subscription
    notification_url = subscription["subscription"]["notification_url"]

    results = drain(oauth, notification_url)
    assert [result["id"] for result in results] == [f"event-{n}" for n in range(EVENTS)], len(results)
    assert all(result["version"] == "V2" and result["event_type_id"] == "301" for result in results)
    assert [result["user"]["id"] for result in results] == [str(n) for n in range(EVENTS)]

    status = expect(oauth.get(f"{SUBSCRIPTIONS}/{identifier}", timeout=TIMEOUT), 200)["subscription_status"]
    assert status["number_of_remaining_notifications"] == 0, status
    assert INSTANT.fullmatch(status["last_request_date"]), status

    expect(oauth.delete(f"{SUBSCRIPTIONS}/{identifier}", timeout=TIMEOUT), 204)
    expect_error(oauth.get(notification_url, timeout=TIMEOUT), 404, "NOT000006")
    expect_error(oauth.put(notification_url, timeout=TIMEOUT), 405, "NOT000005")
    expect_error(requests.get(notification_url, timeout=TIMEOUT), 401, "NOT000002")


if __name__ == "__main__":
    main()
