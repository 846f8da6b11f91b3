"""Drives the proxy with toxiproxy-python: drive.py API ECHO."""

import socket
import sys
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

api, echo = sys.argv[1:]
host, port = api.split(":")
server = Toxiproxy()
server.update_api_consumer(host, int(port))


def address(proxy):
    host, port = proxy.listen.rsplit(":", 1)
    return host, int(port)


def round_trip(proxy):
    """Seconds that a byte takes there and back."""
    with socket.create_connection(address(proxy), timeout=20) as connection:
        began = time.monotonic()
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        return time.monotonic() - began


def refused(proxy):
    try:
        socket.create_connection(address(proxy), timeout=20).close()
    except ConnectionRefusedError:
        return True
    return False


def raises(kind, act):
    try:
        act()
    except kind:
        return True
    return False


assert server.running()
assert b"version" in server.version()

proxy = server.create(upstream=echo, name="db")
round_trip(proxy)
assert raises(ProxyExists, lambda: server.create(upstream=echo, name="db"))

proxy.add_toxic(type="latency", attributes={"latency": 150, "jitter": 0})
assert round_trip(proxy) >= 0.15
toxic = proxy.get_toxic("latency_downstream")
assert toxic.attributes == {"latency": 150, "jitter": 0}, toxic.attributes
assert (toxic.stream, toxic.toxicity) == ("downstream", 1)
assert raises(InvalidToxic, lambda: proxy.add_toxic(type="earthquake"))
proxy.destroy_toxic("latency_downstream")
assert proxy.toxics() == {}
assert raises(NotFound, lambda: proxy.destroy_toxic("latency_downstream"))

proxy.disable()
assert refused(proxy)
assert server.get_proxy("db").enabled is False
proxy.enable()
round_trip(proxy)
with proxy.down():
    assert refused(proxy)

proxy.add_toxic(type="timeout", stream="upstream", attributes={"timeout": 0})
proxy.disable()
server.reset()
assert server.get_proxy("db").enabled is True
assert proxy.toxics() == {}
round_trip(proxy)

made = server.populate(
    [
        {"name": "cache", "upstream": echo, "listen": "127.0.0.1:0"},
        {"name": "queue", "upstream": echo, "listen": "127.0.0.1:0"},
    ]
)
assert [own.name for own in made] == ["cache", "queue"]
assert sorted(server.proxies()) == ["cache", "db", "queue"]
for own in made:
    round_trip(own)
server.destroy_all()
assert server.proxies() == {}
assert refused(proxy)
print("driven")
