"""Whether a delivered message is what it ought to be: its headers, its parts, its DKIM signature.

read_mail.py FILE PUBLIC_KEY: the message, and the public key in base64 as DNS would have it.
"""

import email
import email.policy
import sys

import dkim


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        raw = file.read()
    with open(sys.argv[2], encoding="ascii") as file:
        record = f"v=DKIM1; k=rsa; p={file.read()}".encode()

    message = email.message_from_bytes(raw, policy=email.policy.default)
    expect(message["From"].addresses[0].addr_spec, "tidings@example.test")
    expect(message["From"].addresses[0].display_name, "Tidings Süd")
    expect(message["Return-path"], "<bounces@example.test>")
    expect(message["Auto-Submitted"], "auto-generated")
    expect(message["List-Unsubscribe"], "<mailto:unsubscribe@example.test>")
    expect(message["Subject"], "Account 42 Bcc: victim@example.test was created")
    expect(message["Bcc"], None)
    expect(message["Message-ID"].endswith("@example.test>"), True)
    expect(message.get_content_type(), "multipart/alternative")
    expect([part.get_content_type() for part in message.iter_parts()], ["text/plain", "text/html"])
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    for part in "of Zoë <b>", "ünï: 9.50 EUR", "2027-01-01 13:00:00 NZDT":
        expect(part in text, True)
    for part in "of Zoë &lt;b&gt;", "ünï: 9.50 EUR", "2027-01-01 13:00:00 NZDT":
        expect(part in html, True)
    expect(message.defects, [])

    # What exim puts before the message is not signed.
    asked = []
    verified = dkim.verify(raw, dnsfunc=lambda name, timeout=5: asked.append(name) or record)
    expect(verified, True)
    expect(asked[0].rstrip(b"."), b"tidings._domainkey.example.test")
    expect(dkim.verify(raw.replace(b"9.50", b"9.51"), dnsfunc=lambda name, timeout=5: record), False)


def expect(found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{found!r} is not {expected!r}")


main()
