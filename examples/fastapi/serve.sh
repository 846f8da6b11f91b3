#!/bin/sh
# The shop, and the service that it asks for prices, from the virtual environment that
# ./test makes. Four threads, so that one machine is enough to exhaust them.
set -eu
export THREADS="${THREADS:-4}"
cd "$(dirname "$0")"
python=${VENV:-../../target/venv}/bin
"$python/python" prices.py &
prices=$!
trap 'kill $prices' EXIT
"$python/uvicorn" --host 127.0.0.1 --port "${PORT:-8401}" --log-level warning app:app &
trap 'kill $! $prices' INT TERM
wait $!
