"""Counts the requests that threads work on, for gunicorn does not: by statsd, at a port
of the scenario's gauges. A thread that waits for a request has none to count."""

import socket

statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def busy(value):
    statsd.sendto(f"threads.busy:{value}|g".encode(), ("127.0.0.1", 8432))


def on_starting(server):
    busy("0")


def pre_request(worker, request):
    busy("+1")


def post_request(worker, request, environ, response):
    busy("-1")
