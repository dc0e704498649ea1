"""Takes webhooks and mail, and writes down what came.

    arrivals.py <file for the ports> <file for the arrivals>

The first file says the ports of HTTP and of SMTP. An arrival is a line of JSON: of a webhook its path, its headers (names
in small letters) and its body, of a message its recipients and its text.
"""

import json
import os
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port_file, arrivals = sys.argv[1:]
writing = threading.Lock()


def write(arrival):
    with writing, open(arrivals, "a", encoding="utf-8") as out:
        out.write(json.dumps(arrival) + "\n")


class Webhooks(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        write({"path": self.path, "headers": headers, "body": json.loads(body)})
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Mail(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink.example ESMTP")
        to = []
        for line in self.rfile:
            command = line.decode().strip()
            verb = command[:4].upper()
            if verb == "RCPT":
                to.append(command[command.index("<") + 1 : command.index(">")])
            if verb == "DATA":
                self.say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                write({"to": to, "text": text.decode()})
                to = []
            self.say("221 bye" if verb == "QUIT" else "250 fine")
            if verb == "QUIT":
                return


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


webhooks = ThreadingHTTPServer(("127.0.0.1", 0), Webhooks)
mail = MailServer(("127.0.0.1", 0), Mail)
threading.Thread(target=mail.serve_forever, daemon=True).start()
with open(port_file + ".new", "w", encoding="utf-8") as out:
    out.write(f"{webhooks.server_port} {mail.server_address[1]}\n")
os.rename(port_file + ".new", port_file)
webhooks.serve_forever()
