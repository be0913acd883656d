#!/usr/bin/env bash
# Runs the suite against the peers (and against this server with --peers prosody,ejabberd,oriole) and puts the results side by side.
#   run-all.sh [--out DIRECTORY] [--peers prosody,ejabberd] [arguments of `conformance run`...]
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$here/results peers=prosody,ejabberd
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=$2; shift 2;;
        --peers) peers=$2; shift 2;;
        *) break;;
    esac
done
mkdir -p "$out"
(cd "$here" && cargo build --release -q -p conformance) || exit 1
suite=$(cd "$here" && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/conformance
pid= tmp=$(mktemp -d)
chmod 755 "$tmp"
stop() {
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    pid=
}
trap 'stop; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
# Where the suite is other servers.
other=15269 domains=$(seq -s, -f 'v%g.verona.test' 60)
number=0 reports=()
for peer in ${peers//,/ }; do
    number=$((number + 1)) addr=127.0.78.$number
    if (exec 3<> "/dev/tcp/$addr/5222") 2>/dev/null; then echo "something already listens on $addr:5222" >&2; exit 1; fi
    REMOTE=$other bash "$here/$peer.sh" "$addr" "$tmp/$peer" > "$out/$peer.out" 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || { echo "$peer did not start; see $out/$peer.out" >&2; exit 1; }
        (exec 3<> "/dev/tcp/$addr/5222") 2>/dev/null && break
        sleep 0.1
    done
    sleep 2
    components=$(for i in 1 2 3 4 5 6 7 8; do
        port=5347; [ "$peer" = ejabberd ] && port=535$i
        printf 'c%d.localhost:%d:secret,' "$i" "$port"
    done)
    websocket=ws://$addr:5280/xmpp-websocket; [ "$peer" = ejabberd ] && websocket=ws://$addr:5280/ws
    bosh=http://$addr:5280/http-bind; [ "$peer" = ejabberd ] && bosh=http://$addr:5280/bosh
    [ "$peer" = oriole ] && websocket=wss://$addr:5283/xmpp-websocket bosh=https://$addr:5283/http-bind
    # ejabberd 23.01 answers "Database failure" when several nodes are created at the same time.
    parallel=16; [ "$peer" = ejabberd ] && parallel=1
    admin=(--admin admin@localhost --admin-password secret --register); [ "$peer" = oriole ] && admin=()
    "$suite" run --parallel "$parallel" --host "$addr" --port 5222 --domain localhost --label "$peer" --direct-tls-port 5223 --websocket "$websocket" --bosh "$bosh" \
        --component "${components%,}" --remote-domain "$domains" --remote-listen "127.0.0.1:$other" "${admin[@]}" \
        --json "$out/$peer.json" --html "$out/$peer.html" --junit "$out/$peer.xml" "$@" | tee "$out/$peer.txt"
    stop
    [ -s "$out/$peer.json" ] && reports+=("$out/$peer.json")
done
"$suite" compare "${reports[@]}" > "$out/compare.md" && cat "$out/compare.md"
