"""A role-authorized API on Flask whose role check can lose its await.

Blocking work, role checks and queries alike, runs on one pool of a few threads,
as many services have it. `release.json` says whether a handler waits for the
role check that it has started; it is read again for every request, as a
configuration service would have it. Nothing here knows of incidents: what comes
of a push follows from the pool.
"""

import json
import pathlib
import random
import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, jsonify

RELEASE = pathlib.Path(__file__).with_name("release.json")
# The threads that all blocking work shares; its queue has no bound.
POOL = ThreadPoolExecutor(max_workers=4, thread_name_prefix="work")

app = Flask(__name__)


def verify(user):
    """Asks the identity service for a role, which takes it a while."""
    time.sleep(random.expovariate(1 / 0.020))
    return "contributor"


def query():
    """Asks the database."""
    time.sleep(random.expovariate(1 / 0.005))
    return [{"id": number, "title": "write a test"} for number in range(3)]


def role_of(user):
    check = POOL.submit(verify, user)
    if json.loads(RELEASE.read_text())["settings"]["role_check"] == "awaited":
        return check.result()
    # The await is missing: the check goes on, and its result is not there yet.
    return check


def tasks_for(user):
    if role_of(user) not in ("viewer", "contributor", "manager"):
        return jsonify(error="no role is known"), 500
    return jsonify(POOL.submit(query).result())


@app.get("/tasks")
def tasks():
    return tasks_for("user")


@app.get("/readyz")
def deep():
    """The deep health check takes the path that users take."""
    return tasks_for("monitor")


@app.get("/health")
def health():
    return "ok"
