#!/bin/sh
# Installs what the check and the benchmarks need and this machine lacks. It says what it does,
# leaves alone what is there, and starts no service: the tests start their own Redis and mail server.
#
#   deploy/install-tools.sh                  everything
#   deploy/install-tools.sh redis            only what is named: rust redis smtp promtool
#                                            console schemathesis cargo-deny
set -u
exec </dev/null
unset CDPATH
cd -- "$(dirname -- "$0")/.." || exit 1

# Built without optimisation: it runs for two seconds, and optimised it takes minutes to build.
cargo_deny_version=0.20.2
aiosmtpd_version=1.4.6
schemathesis_version=4.32.5
node_version=22.23.3

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}
# Nothing is begun that could not be ended: sudo must not stop to ask for a password.
need_root() {
    [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; } ||
        fail "that needs administrator rights. Run 'sudo -v' before this, or install it yourself: $*"
}

rust() {
    have cargo || fail "there is no cargo. Install Rust from https://rustup.rs and start again"
    have cc || have gcc || have clang ||
        fail "there is no C compiler, which SQLite and TLS are built with. Debian: apt-get install build-essential"
    for component in rustfmt clippy; do
        case $component in
            rustfmt) cargo fmt --version >/dev/null 2>&1 && continue ;;
            clippy) cargo clippy --version >/dev/null 2>&1 && continue ;;
        esac
        have rustup || fail "cargo has no $component and there is no rustup to add it"
        say "adding $component to the Rust toolchain"
        rustup component add "$component" || fail "rustup could not add $component"
    done
    say "rust: $(rustc --version)"
}

redis() {
    if ! have redis-server; then
        say "redis-server is missing: installing it from this system's packages"
        if have apt-get; then
            need_root apt-get install redis-server redis-sentinel
            redis_by_apt
        elif have apk; then
            need_root apk add redis
            as_root apk add --no-cache redis
        elif have dnf; then
            need_root dnf install redis
            as_root dnf install -y redis
        elif have brew; then
            brew install redis
        else
            fail "no package manager that this script knows (apt-get, apk, dnf, brew). Install Redis 7 or later and start again"
        fi
        have redis-server || fail "redis-server could not be installed; see above"
    fi
    say "redis: $(redis-server --version)"
}

by_apt() {
    options='-qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=120'
    # shellcheck disable=SC2086 # the options are several words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get $options update
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get $options install -y --no-install-recommends "$@"
}

# Debian starts a service as soon as it is installed, unless this file says no.
redis_by_apt() {
    policy=/usr/sbin/policy-rc.d
    ours=
    if [ ! -e "$policy" ]; then
        ours=yes
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    fi
    by_apt redis-server redis-sentinel
    if [ -n "$ours" ]; then
        as_root rm -f "$policy"
        trap - EXIT INT TERM
    fi
    if have systemctl; then
        as_root systemctl disable redis-server redis-sentinel >/dev/null 2>&1
        say "its services stay switched off; to use one: systemctl enable --now redis-server"
    fi
}

# The tests' mail server is aiosmtpd, under the Python that has it; openssl makes its certificate.
smtp_python() {
    for python in target/tools/smtp/bin/python3 python3 /usr/bin/python3; do
        if have "$python" && "$python" -c 'import aiosmtpd' >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    return 1
}

smtp() {
    if ! have openssl || ! smtp_python >/dev/null; then
        say "aiosmtpd or openssl is missing: installing them"
        if have apt-get; then
            need_root apt-get install python3-aiosmtpd openssl
            by_apt python3-aiosmtpd openssl
        elif have dnf; then
            need_root dnf install python3-aiosmtpd openssl
            as_root dnf install -y python3-aiosmtpd openssl
        else
            have openssl || fail "there is no openssl. Install it and start again"
            have python3 || fail "there is no python3. Install it and start again"
            python3 -m venv target/tools/smtp && target/tools/smtp/bin/python3 -m pip install \
                --quiet --disable-pip-version-check "aiosmtpd==$aiosmtpd_version"
        fi
        smtp_python >/dev/null || fail "aiosmtpd could not be installed; see above"
    fi
    say "smtp: aiosmtpd in $(smtp_python), $(openssl version)"
}

# Prometheus's own check of metrics and alerts. Its package also has a server, which nobody wants
# here: only the tool is taken out of it. Where it cannot be had, the alerts are not checked.
prometheus_tool() {
    if ! have promtool && ! [ -x target/tools/promtool ]; then
        say "promtool is missing: taking it out of this system's package"
        if have apt-get && have dpkg-deb; then
            promtool_by_apt
        elif have brew; then
            brew install prometheus
        fi
    fi
    if have promtool; then
        say "promtool: $(promtool --version 2>&1 | head -n 1)"
    elif [ -x target/tools/promtool ]; then
        say "promtool: $(target/tools/promtool --version 2>&1 | head -n 1)"
    else
        say "promtool: could not be had; metrics and alerts are not checked by it"
    fi
}

promtool_by_apt() {
    folder=$(mktemp -d) || return
    chmod 755 "$folder"
    download() { (cd "$folder" && apt-get -qq -o Acquire::Retries=2 download prometheus); }
    # The lists of packages may be missing or old.
    download 2>/dev/null || { as_root apt-get -qq update && download; }
    for package in "$folder"/prometheus_*.deb; do
        [ -e "$package" ] && dpkg-deb -x "$package" "$folder/prometheus" &&
            mkdir -p target/tools && mv "$folder/prometheus/usr/bin/promtool" target/tools/
    done
    rm -rf "$folder"
}

# Debian 12 has node 18, and the browser's driver wants 20: then npm brings one that is only ours.
node_is_new() { have "$1" && "$1" -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; }
fit_node() {
    for node in target/tools/node/node_modules/node-linux-*/bin/node node; do
        if node_is_new "$node"; then
            echo "$node"
            return
        fi
    done
    return 1
}

# The console's tests: an OpenID provider under node, and a browser with what drives and judges it.
console() {
    if ! have node || ! have npm; then
        say "node or npm is missing: installing them from this system's packages"
        if have apt-get; then
            need_root apt-get install nodejs npm
            by_apt nodejs npm
        elif have dnf; then
            need_root dnf install nodejs npm
            as_root dnf install -y nodejs npm
        elif have brew; then
            brew install node
        fi
        have npm || fail "npm could not be installed. Install Node 20 or later (https://nodejs.org) and start again"
    fi
    if ! fit_node >/dev/null; then
        case $(uname -m) in
            x86_64) build=x64 ;;
            aarch64 | arm64) build=arm64 ;;
            *) fail "node is older than 20. Install Node 20 or later (https://nodejs.org) and start again" ;;
        esac
        say "node is older than 20: fetching $node_version for the tests alone"
        npm install --silent --no-audit --no-fund --no-save --ignore-scripts \
            --prefix target/tools/node "node-linux-$build@$node_version" ||
            fail "npm could not fetch node-linux-$build; see above"
        fit_node >/dev/null || fail "the node that npm fetched does not run here. Install Node 20 or later"
    fi
    # What is there is left alone while the list of packages is the same.
    packages=target/tools/console
    if ! cmp -s tests/it/console/package-lock.json "$packages/package-lock.json" ||
        [ ! -f "$packages/installed" ]; then
        say "fetching the packages of tests/it/console/package.json"
        mkdir -p "$packages"
        rm -f "$packages/installed"
        cp tests/it/console/package.json tests/it/console/package-lock.json "$packages/"
        npm ci --silent --ignore-scripts --no-audit --no-fund --prefix "$packages" ||
            fail "npm could not fetch the packages; see above"
        : >"$packages/installed"
    fi
    if ! have chromium && ! have chromium-browser && ! have google-chrome; then
        say "chromium is missing: installing it from this system's packages"
        if have apt-get; then
            need_root apt-get install chromium
            by_apt chromium
        elif have dnf; then
            need_root dnf install chromium
            as_root dnf install -y chromium
        else
            fail "no Chromium. Install chromium or Google Chrome and start again"
        fi
    fi
    say "console: node $("$(fit_node)" --version), packages in $packages, $(browser)"
}
browser() {
    for browser in chromium chromium-browser google-chrome; do
        if have "$browser"; then
            "$browser" --version 2>/dev/null
            return
        fi
    done
}

# The fuzzer of the API, in an environment of its own.
schemathesis() {
    place=target/tools/schemathesis
    if [ "$("$place/bin/schemathesis" --version 2>/dev/null)" != "schemathesis, version $schemathesis_version" ]; then
        say "schemathesis is missing: fetching $schemathesis_version"
        if ! python3 -c 'import ensurepip' >/dev/null 2>&1 && have apt-get; then
            need_root apt-get install python3-venv
            by_apt python3-venv
        fi
        rm -rf "$place"
        python3 -m venv "$place" || fail "python3 has no venv. Install Python 3.10 or later and start again"
        "$place/bin/python" -m pip install --quiet --disable-pip-version-check \
            "schemathesis==$schemathesis_version" || fail "pip could not fetch schemathesis; see above"
    fi
    say "schemathesis: $("$place/bin/schemathesis" --version)"
}

cargo_deny() {
    if ! cargo deny --version >/dev/null 2>&1; then
        say "cargo-deny is missing: building $cargo_deny_version (about a minute)"
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug \
            --version "$cargo_deny_version" cargo-deny || fail "cargo-deny could not be built; see above"
    fi
    say "cargo-deny: $(cargo deny --version)"
}

[ $# -gt 0 ] || set -- rust redis smtp promtool console schemathesis cargo-deny
for tool in "$@"; do
    case $tool in
        rust) rust ;;
        redis) redis ;;
        smtp) smtp ;;
        promtool) prometheus_tool ;;
        console) console ;;
        schemathesis) schemathesis ;;
        cargo-deny) cargo_deny ;;
        *) fail "unknown tool '$tool'; known: rust redis smtp promtool console schemathesis cargo-deny" ;;
    esac
done
