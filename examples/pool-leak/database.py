"""A database: a line in, 20 ms later a line out, however many ask. DATABASE_MS is another time."""

import asyncio
import os

SECONDS = float(os.environ.get("DATABASE_MS", "20")) / 1000


async def serve(reader, writer):
    while await reader.readline():
        await asyncio.sleep(SECONDS)
        writer.write(b"42\n")


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 8442, backlog=128)
    await server.serve_forever()


asyncio.run(main())
