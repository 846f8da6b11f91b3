"""A server whose blocking calls run on a pool of threads that grows slowly.

The pool begins with a few threads. While work waits and every thread is taken it adds one
at a fixed rate, as .NET's does (one or two a second), and no faster, however much waits.
Nothing here knows of incidents.
"""

import asyncio
import collections
import os
import threading
import time

# Threads at the start, those that are added per second, and the most there are.
THREADS_MIN = int(os.environ.get("THREADS_MIN", "8"))
THREADS_PER_S = float(os.environ.get("THREADS_PER_S", "1"))
THREADS_MAX = 1_000
# A thread that had nothing to do for so long ends, down to THREADS_MIN.
IDLE_S = 20
# How long the call takes that a request blocks its thread with.
CALL_S = float(os.environ.get("CALL_MS", "250")) / 1000
# Sync over async: the call itself needs no thread, but what wakes its caller does.
SYNC_OVER_ASYNC = os.environ.get("SYNC_OVER_ASYNC") == "yes"


class GrowingPool:
    def __init__(self):
        self.work = collections.deque()
        self.changed = threading.Condition()
        self.threads = 0
        self.busy = 0
        self.completed = 0
        with self.changed:
            for _ in range(THREADS_MIN):
                self.add_thread()
        threading.Thread(target=self.watch, daemon=True).start()

    def submit(self, task):
        with self.changed:
            self.work.append(task)
            self.changed.notify()

    def watch(self):
        while True:
            time.sleep(1 / THREADS_PER_S)
            with self.changed:
                if self.work and self.busy == self.threads < THREADS_MAX:
                    self.add_thread()

    def add_thread(self):
        self.threads += 1
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            with self.changed:
                if not self.changed.wait_for(lambda: self.work, IDLE_S):
                    if self.threads > THREADS_MIN:
                        self.threads -= 1
                        return
                    continue
                task = self.work.popleft()
                self.busy += 1
            try:
                task()
            finally:
                with self.changed:
                    self.busy -= 1


POOL = GrowingPool()


def order(loop, done):
    """Runs on a thread of the pool, and blocks it for as long as the call takes."""
    if SYNC_OVER_ASYNC:
        answered = threading.Event()
        resume = lambda: POOL.submit(answered.set)
        loop.call_soon_threadsafe(lambda: loop.call_later(CALL_S, resume))
        answered.wait()
    else:
        time.sleep(CALL_S)
    with POOL.changed:
        POOL.completed += 1
    loop.call_soon_threadsafe(lambda: done.done() or done.set_result("42\n"))


def metrics():
    return (
        f"threads_busy {POOL.busy}\n"
        f"threads_total {POOL.threads}\n"
        f"threads_waiting {len(POOL.work)}\n"
        f"orders_completed {POOL.completed}\n"
    )


async def answer(path):
    if path == "/metrics":
        return metrics()
    if path == "/health":
        return "ok\n"
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    POOL.submit(lambda: order(loop, done))
    return await done


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            while (await reader.readline()).strip():
                pass
            text = await answer(line.split()[1].decode())
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode())
            await writer.drain()
    except (ConnectionError, IndexError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 8451, backlog=1024)
    await server.serve_forever()


asyncio.run(main())
