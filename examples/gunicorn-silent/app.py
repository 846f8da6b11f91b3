"""An application that takes five milliseconds. What clients do to its server is not in it."""

import time


def app(environ, start_response):
    time.sleep(0.005)
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "3")])
    return [b"ok\n"]
