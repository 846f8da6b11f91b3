#!/bin/sh
# The application under gunicorn, from the virtual environment that ./test makes.
# Requests have threads in plenty; what is short is the pool of app.py.
set -eu
cd "$(dirname "$0")"
python=${VENV:-../../target/venv}/bin
[ -e release.json ] || "$python/python" release.py begin
exec "$python/gunicorn" --bind 127.0.0.1:8391 --workers 1 --threads 400 --worker-class gthread \
  --log-level warning app:app
