#!/usr/bin/env bash
# What it costs to notify the subscribers of one node: Oriole, Prosody and ejabberd one after the other, each started anew.
#   tests/bench/fanout.sh SUBSCRIBERS ITEMS [SERVER...]
# A server is oriole, prosody or ejabberd. Needs release builds: cargo build --release --bin oriole --example fanout
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
subscribers=${1:?usage: $0 SUBSCRIBERS ITEMS [SERVER...]}
items=${2:?usage: $0 SUBSCRIBERS ITEMS [SERVER...]}
shift 2
servers=("$@")
[[ ${#servers[@]} -gt 0 ]] || servers=(oriole prosody ejabberd)
build=${BUILD:-$here/target/release}
export ORIOLE=${ORIOLE:-$build/oriole}
ulimit -n "$(ulimit -Hn)"

address=127.0.91.1
for server in "${servers[@]}"; do
    dir=$(mktemp -d)
    "$here/conformance/peers/$server.sh" "$address" "$dir" >"$dir/output" 2>&1 &
    pid=$!
    trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
    until (exec 3<>"/dev/tcp/$address/5223") 2>/dev/null; do
        kill -0 $pid || { cat "$dir/output" >&2; exit 1; }
        sleep 0.2
    done
    sleep 2
    printf '%-9s ' "$server"
    "$build/examples/fanout" "$address:5223" "$pid" "$subscribers" "$items"
    kill $pid
    wait $pid 2>/dev/null || true
    rm -rf "$dir"
done
trap - EXIT
