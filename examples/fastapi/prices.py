"""The service that knows the price: 50 ms for each question, however many there are.

PRICES_MS is another time, in milliseconds.
"""

import http.server
import os
import time

SECONDS = float(os.environ.get("PRICES_MS", "50")) / 1000


class Price(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(SECONDS)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"42")

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer.request_queue_size = 128
port = int(os.environ.get("PRICES_PORT", "8402"))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Price).serve_forever()
