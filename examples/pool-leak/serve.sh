#!/bin/sh
# The shop and its database, from the virtual environment that ./test makes.
set -eu
cd "$(dirname "$0")"
python=${VENV:-../../target/venv}/bin
"$python/python" database.py &
database=$!
trap 'kill $database' EXIT
"$python/uvicorn" --host 127.0.0.1 --port 8441 --log-level warning app:app &
trap 'kill $! $database' INT TERM
wait $!
