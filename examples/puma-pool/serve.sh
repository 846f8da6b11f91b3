#!/bin/sh
# The shop under Puma, with its control app.
set -eu
cd "$(dirname "$0")"
exec puma --bind tcp://127.0.0.1:8471 --threads 48:48 --quiet \
  --control-url tcp://127.0.0.1:8472 --control-token threads config.ru
