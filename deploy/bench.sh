#!/bin/sh
# Builds and runs the benchmarks, which start what they need and print the table for the README.
# Arguments go to the benchmarks: deploy/bench.sh --help
set -u
unset CDPATH
cd -- "$(dirname -- "$0")/.." || exit 1
deploy/install-tools.sh rust redis || exit 1
exec cargo bench --locked --bench bench -- "$@"
