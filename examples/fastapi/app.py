"""A small shop on FastAPI, whose orders ask another service for the price.

A handler that is written with `def` runs on a pool of threads, as FastAPI has it; one
with `async def` runs on the event loop, which every request needs. Nothing here knows
of incidents: what comes of a slow price follows from the pool.
"""

import contextlib
import os
import time
import urllib.request

import anyio.to_thread
from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse

# The service that is asked for the price, and for how long an order waits for it.
PRICES = os.environ.get("PRICES", "http://127.0.0.1:8402")
PRICES_TIMEOUT = float(os.environ.get("PRICES_TIMEOUT", "30"))
# Threads that run the `def` handlers. FastAPI has 40 unless it is told otherwise.
THREADS = int(os.environ.get("THREADS", "40"))


@contextlib.asynccontextmanager
async def lifespan(_):
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/orders")
def order():
    """Blocks a thread of the pool for as long as the price takes."""
    try:
        with urllib.request.urlopen(PRICES, timeout=PRICES_TIMEOUT) as answer:
            return {"price": int(answer.read())}
    except OSError:
        return Response("no price\n", status_code=503)


@app.get("/report")
async def report(ms: int = 300):
    """Blocks the event loop: a mistake that is easily made with `async def`."""
    time.sleep(ms / 1000)
    return {"orders": 7}


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
    )
