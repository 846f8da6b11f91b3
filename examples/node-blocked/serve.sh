#!/bin/sh
# The shop under Node.
set -eu
cd "$(dirname "$0")"
exec node server.js
