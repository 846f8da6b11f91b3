#!/bin/sh
# One worker of gunicorn with four threads, in the version that GUNICORN names: one that
# ./test installs into target/gunicorn, or without it the one of the virtual environment.
set -eu
cd "$(dirname "$0")"
version=${GUNICORN:-}
if [ -n "$version" ]; then
  export PYTHONPATH="$PWD/../../target/gunicorn/$version"
  [ -d "$PYTHONPATH" ] || { echo "there is no gunicorn $version; ./test setup installs it" >&2; exit 3; }
fi
exec "${VENV:-../../target/venv}/bin/python" -m gunicorn --bind 127.0.0.1:8431 --workers 1 \
  --threads 4 --worker-class gthread --statsd-host 127.0.0.1:8432 --log-level warning app:app
