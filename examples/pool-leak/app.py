"""A shop on FastAPI whose orders ask a database, with a timeout around it.

The timeout ends the handler wherever it is: also between taking a connection and giving
it back. Nothing here knows of incidents: what comes of it follows from the pool.
"""

import asyncio
import contextlib
import os
import time

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse

HOST, PORT = os.environ.get("DATABASE", "127.0.0.1:8442").split(":")
CONNECTIONS = int(os.environ.get("CONNECTIONS", "10"))
# How long an order may take.
TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "0.5"))
# Whether a connection is given back however the handler ends.
FINALLY = os.environ.get("FINALLY") == "yes"
# After how long the pool takes a connection for lost and opens another; without it never.
RECLAIM_S = float(os.environ.get("RECLAIM_S") or "0") or None


class Connection:
    """A connection to the database, opened when it is first needed."""

    def __init__(self):
        self.streams = None
        self.taken_at = None

    async def query(self):
        if self.streams is None:
            self.streams = await asyncio.open_connection(HOST, int(PORT))
        reader, writer = self.streams
        writer.write(b"price\n")
        return int(await reader.readline())

    def close(self):
        if self.streams:
            self.streams[1].close()
        self.streams = None


class Pool:
    def __init__(self, size):
        self.size = size
        self.free = asyncio.Queue()
        self.taken = set()
        self.waiting = 0
        for _ in range(size):
            self.free.put_nowait(Connection())

    async def take(self):
        self.waiting += 1
        try:
            connection = await self.free.get()
        finally:
            self.waiting -= 1
        connection.taken_at = time.monotonic()
        self.taken.add(connection)
        return connection

    def give_back(self, connection):
        if connection in self.taken:
            self.taken.remove(connection)
            self.free.put_nowait(connection)

    async def reclaim(self):
        while True:
            await asyncio.sleep(0.5)
            for connection in list(self.taken):
                if time.monotonic() - connection.taken_at > RECLAIM_S:
                    connection.close()
                    self.taken.remove(connection)
                    self.free.put_nowait(Connection())


POOL = Pool(CONNECTIONS)


async def price():
    connection = await POOL.take()
    found = await connection.query()
    POOL.give_back(connection)
    return found


async def price_finally():
    connection = await POOL.take()
    try:
        return await connection.query()
    except BaseException:
        # Its answer is still to come: it would be taken for that of the next query.
        connection.close()
        raise
    finally:
        POOL.give_back(connection)


@contextlib.asynccontextmanager
async def lifespan(_):
    reclaiming = asyncio.create_task(POOL.reclaim()) if RECLAIM_S else None
    yield
    if reclaiming:
        reclaiming.cancel()


app = FastAPI(lifespan=lifespan)


# Orders that are over, however they ended and whoever still waited.
COMPLETED = 0


@app.get("/orders")
async def order():
    global COMPLETED
    ask = price_finally if FINALLY else price
    try:
        return {"price": await asyncio.wait_for(ask(), TIMEOUT_S)}
    except TimeoutError:
        return Response("no price\n", status_code=503)
    finally:
        COMPLETED += 1


@app.get("/health")
async def health():
    return "ok"


@app.get("/metrics", response_class=PlainTextResponse)
async def metrics():
    return (
        f"connections_busy {len(POOL.taken)}\n"
        f"connections_total {POOL.size}\n"
        f"connections_waiting {POOL.waiting}\n"
        f"orders_completed {COMPLETED}\n"
    )
