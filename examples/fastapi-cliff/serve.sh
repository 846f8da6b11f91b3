#!/bin/sh
# The service under uvicorn, from the virtual environment that ./test makes.
set -eu
cd "$(dirname "$0")"
exec "${VENV:-../../target/venv}/bin/uvicorn" --host 127.0.0.1 --port 8421 --log-level warning app:app
