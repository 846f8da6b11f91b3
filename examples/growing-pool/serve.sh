#!/bin/sh
# The server, from any Python.
set -eu
cd "$(dirname "$0")"
exec python3 server.py
