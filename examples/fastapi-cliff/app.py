"""Fast and slow handlers on FastAPI's one pool of threads, and two health checks.

`/ready` is `def` and needs a thread of the pool, as everything that users ask for does;
`/live` is `async def` and needs none. Nothing here knows of incidents.
"""

import contextlib
import os
import random
import time

import anyio
import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

# Threads for the `def` handlers; FastAPI has 40 unless it is told otherwise.
THREADS = int(os.environ.get("THREADS", "40"))
# How long a report takes on average: half of it to one and a half.
REPORT_S = float(os.environ.get("REPORT_S", "2"))
# Threads that only reports use; without it they are on the pool that all share.
REPORT_THREADS = int(os.environ.get("REPORT_THREADS") or "0")


@contextlib.asynccontextmanager
async def lifespan(_):
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


app = FastAPI(lifespan=lifespan)
REPORTS = anyio.CapacityLimiter(REPORT_THREADS or 1)


def make_report():
    time.sleep(random.uniform(0.5, 1.5) * REPORT_S)
    return {"orders": 7}


if REPORT_THREADS:

    @app.get("/report")
    async def report():
        return await anyio.to_thread.run_sync(make_report, limiter=REPORTS)

else:

    @app.get("/report")
    def report():
        return make_report()


@app.get("/item")
def item():
    time.sleep(0.001)
    return {"price": 42}


@app.get("/ready")
def ready():
    return "ok"


@app.get("/live")
async def live():
    return "ok"


@app.get("/metrics", response_class=PlainTextResponse)
async def metrics():
    pool = anyio.to_thread.current_default_thread_limiter().statistics()
    return (
        f"threads_busy {pool.borrowed_tokens}\n"
        f"threads_total {pool.total_tokens}\n"
        f"threads_waiting {pool.tasks_waiting}\n"
    )
