"""A shop on FastAPI whose orders need one of a few connections to a database.

`def` dependencies and `def` handlers run on one pool of threads, as FastAPI has it. A
request takes a thread to get a connection, lets that thread go, and takes another one for
its query; it holds the connection all the while. Nothing here knows of incidents: what
comes of a spike follows from the two pools.
"""

import contextlib
import os
import queue
import threading
import time

import anyio.to_thread
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import PlainTextResponse

# Threads for the `def` code; FastAPI has 40 unless it is told otherwise.
THREADS = int(os.environ.get("THREADS", "40"))
# Connections to the database, and how long a query takes.
CONNECTIONS = int(os.environ.get("CONNECTIONS", "4"))
QUERY_S = float(os.environ.get("QUERY_MS", "50")) / 1000
# How long a thread waits for a connection; without it for ever.
POOL_TIMEOUT_S = float(os.environ.get("POOL_TIMEOUT_S") or "0") or None
# Whether the handler's own thread gets the connection, so that a request needs one thread.
ONE_THREAD = os.environ.get("ONE_THREAD") == "yes"
# Orders that are let in at a time; without it all of them.
IN_FLIGHT_MAX = int(os.environ.get("IN_FLIGHT_MAX") or "0")


class Connections:
    """A pool of connections, whose holders are counted."""

    def __init__(self, size):
        self.size = size
        self.free = queue.Queue()
        self.lock = threading.Lock()
        self.waiting = 0
        for number in range(size):
            self.free.put(number)

    @contextlib.contextmanager
    def one(self):
        connection = self.take()
        try:
            yield connection
        finally:
            self.free.put(connection)

    def take(self):
        self.count(1)
        try:
            return self.free.get(timeout=POOL_TIMEOUT_S)
        except queue.Empty:
            raise HTTPException(503, "no connection") from None
        finally:
            self.count(-1)

    def count(self, change):
        with self.lock:
            self.waiting += change


POOL = Connections(CONNECTIONS)


def connection():
    """The dependency that FastAPI's guide has: a session for the time of a request."""
    with POOL.one() as taken:
        yield taken


def query(_):
    """Asks the database."""
    time.sleep(QUERY_S)
    return {"orders": 7}


class AtMost:
    """Refuses orders while so many are in progress."""

    def __init__(self, app):
        self.app = app
        self.inside = 0

    async def __call__(self, scope, receive, send):
        if scope.get("path") != "/orders" or not IN_FLIGHT_MAX:
            return await self.app(scope, receive, send)
        if self.inside >= IN_FLIGHT_MAX:
            return await PlainTextResponse("busy\n", status_code=503)(scope, receive, send)
        self.inside += 1
        try:
            return await self.app(scope, receive, send)
        finally:
            self.inside -= 1


class Counted:
    """Counts orders once they are over, whoever still waited for them."""

    completed = 0

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        try:
            return await self.app(scope, receive, send)
        finally:
            Counted.completed += scope.get("path") == "/orders"


@contextlib.asynccontextmanager
async def lifespan(_):
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(AtMost)
app.add_middleware(Counted)

if ONE_THREAD:

    @app.get("/orders")
    def orders():
        with POOL.one() as taken:
            return query(taken)

else:

    @app.get("/orders")
    def orders(taken=Depends(connection)):
        return query(taken)


@app.get("/health")
async def health():
    return "ok"


@app.get("/metrics", response_class=PlainTextResponse)
async def metrics():
    pool = anyio.to_thread.current_default_thread_limiter().statistics()
    return (
        f"threads_busy {pool.borrowed_tokens}\n"
        f"threads_total {pool.total_tokens}\n"
        f"threads_waiting {pool.tasks_waiting}\n"
        f"connections_busy {POOL.size - POOL.free.qsize()}\n"
        f"connections_total {POOL.size}\n"
        f"connections_waiting {POOL.waiting}\n"
        f"orders_completed {Counted.completed}\n"
    )
