#!/bin/sh
# Everything that must hold before a change is taken: from a clean clone with a Rust toolchain, this
# one command installs what is missing, checks, and ends with a summary.
#
#   deploy/check.sh                  all steps
#   deploy/check.sh lint tests       only these, in this order
#
# Steps: tools fetch format scripts alerts lint docs licences advisories tests
# Exit code: 0 when every step that was asked for is in order, else 1.
set -u
exec </dev/null
unset CDPATH
cd -- "$(dirname -- "$0")/.." || exit 1

all='tools fetch format scripts alerts lint docs licences advisories tests'
not_checked=3

# The builds here are thrown away by a CI: what would speed up the next one only costs time.
if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0; fi

have() { command -v "$1" >/dev/null 2>&1; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
within() {
    seconds=$1
    shift
    if have timeout; then timeout -k 5 "$seconds" "$@"; else "$@"; fi
}
tools() { run deploy/install-tools.sh; }

fetch() { run cargo fetch --locked; }

format() { run cargo fmt --all -- --check; }

scripts() {
    for script in deploy/*.sh .ci/run; do
        run sh -n "$script" || return
    done
    if have shellcheck; then
        run shellcheck deploy/*.sh .ci/run
    else
        echo 'shellcheck is not installed: the scripts were only parsed.'
    fi
}

# When each alert fires, and when not. The tests hold the metrics' side.
alerts() {
    promtool=target/tools/promtool
    [ -x "$promtool" ] || promtool=promtool
    if ! have "$promtool"; then
        echo 'NOT CHECKED: promtool is missing. deploy/install-tools.sh promtool'
        return $not_checked
    fi
    run "$promtool" check rules deploy/prometheus/alerts.yaml &&
        run "$promtool" test rules deploy/prometheus/alerts.tests.yaml
}

lint() { run cargo clippy --locked --all-targets -- -D warnings; }

docs() {
    run env RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --document-private-items
}

licences() {
    run cargo deny --locked --offline --config deploy/deny.toml check licenses bans sources
}

# A hole that is known but not looked up is not a reason to stop, but it is said.
advisories() {
    if ! have git; then
        echo 'NOT CHECKED: git is missing, so the advisory database could not be fetched.'
        return $not_checked
    fi
    export GIT_TERMINAL_PROMPT=0
    echo '$ cargo deny --config deploy/deny.toml fetch db'
    if ! within 60 cargo deny --config deploy/deny.toml fetch db; then
        echo 'NOT CHECKED: the advisory database (github.com/RustSec/advisory-db) could not be reached.'
        echo 'Known holes in dependencies were therefore not looked up. With a network: deploy/check.sh advisories'
        return $not_checked
    fi
    run cargo deny --locked --offline --config deploy/deny.toml check advisories
}

tests() {
    # The tests start their own redis-server and mail server on free ports; SQLite is part of the
    # program.
    run cargo test --locked
}

now() { date +%s; }
line() { printf '%-12s %-11s %4s s' "$@"; }
newline='
'

# shellcheck disable=SC2086 # the names of the steps are words
[ $# -gt 0 ] || set -- $all
for step in "$@"; do
    case " $all " in
        *" $step "*) ;;
        *)
            echo "unknown step '$step'; steps: $all" >&2
            exit 2
            ;;
    esac
done

begin=$(now)
summary=
failed=
for step in "$@"; do
    since=$(now)
    printf '\n=== %s  (%s s so far)\n' "$step" "$((since - begin))"
    "$step"
    code=$?
    case $code in
        0) verdict='ok' ;;
        "$not_checked") verdict='NOT CHECKED' ;;
        *)
            verdict='FAILED'
            failed="$failed $step"
            ;;
    esac
    summary="$summary$(line "$verdict" "$step" "$(($(now) - since))")$newline"
done

printf '\n=== summary  (%s s)\n%s' "$(($(now) - begin))" "$summary"
if [ -n "$failed" ]; then
    # shellcheck disable=SC2086 # the names of the steps are words
    set -- $failed
    printf '\nFailed first: %s. Alone: deploy/check.sh %s\n' "$1" "$1"
    exit 1
fi
printf '\nEverything that was checked is in order.\n'
