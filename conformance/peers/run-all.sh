#!/usr/bin/env bash
# Runs the suite against the peers (and against this server with --peers prosody,ejabberd,oriole) and puts the results side by side.
#   run-all.sh [--out DIRECTORY] [--peers prosody,ejabberd] [--together] [arguments of `conformance run`...]
# One server after the other, or all at the same time with --together. $SUITE is the program of the suite, if it is not to be built.
# The servers get addresses of $NETWORK (127.0.78), and find the suite as other servers from port $FIRST_PORT (15269) on.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$here/results peers=prosody,ejabberd together=
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=$2; shift 2;;
        --peers) peers=$2; shift 2;;
        --together) together=1; shift;;
        *) break;;
    esac
done
mkdir -p "$out"
if [ -n "${SUITE:-}" ]; then
    suite=$SUITE
else
    (cd "$here" && cargo build --release -q -p conformance) || exit 1
    suite=$(cd "$here" && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/conformance
fi

# Starts the peer of that name and number, runs the suite against it, and ends it; in a shell of its own.
run() (
    peer=$1 addr=${NETWORK:-127.0.78}.$2 other=$((${FIRST_PORT:-15269} + $2 - 1)) pid=
    shift 2
    tmp=$(mktemp -d)
    chmod 755 "$tmp"
    stop() {
        if [ -n "$pid" ]; then
            kill "$pid" 2>/dev/null
            for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
            kill -9 "$pid" 2>/dev/null
            wait "$pid" 2>/dev/null
        fi
        rm -rf "$tmp"
    }
    trap stop EXIT
    trap 'exit 130' INT TERM
    if (exec 3<> "/dev/tcp/$addr/5222") 2>/dev/null; then echo "something already listens on $addr:5222" >&2; exit 1; fi
    REMOTE=$other bash "$here/$peer.sh" "$addr" "$tmp/$peer" > "$out/$peer.out" 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || { echo "$peer did not start; see $out/$peer.out" >&2; exit 1; }
        (exec 3<> "/dev/tcp/$addr/5222") 2>/dev/null && break
        sleep 0.1
    done
    # ejabberd opens its ports before it is ready.
    while [ "$peer" = ejabberd ] && kill -0 "$pid" && ! grep -q "is started in the node" "$out/$peer.out"; do sleep 0.2; done
    sleep 2
    options=(--websocket "ws://$addr:5280/xmpp-websocket" --bosh "http://$addr:5280/http-bind")
    admin=(--admin admin@localhost --admin-password secret --register)
    port() { echo 5347; }
    case $peer in
        # ejabberd 23.01 now and then answers "Database failure" when several nodes are created at the same time.
        ejabberd)
            options=(--websocket "ws://$addr:5280/ws" --bosh "http://$addr:5280/bosh"
                --in-turn xep0048,xep0054,xep0060,xep0084,xep0115,xep0153,xep0163,xep0222,xep0223,xep0248,xep0357,xep0398,xep0402,xep0490)
            port() { echo "535$1"; };;
        oriole)
            options=(--websocket "wss://$addr:5283/xmpp-websocket" --bosh "https://$addr:5283/http-bind");;
    esac
    components=$(for i in 1 2 3 4 5 6 7 8; do printf 'c%d.localhost:%d:secret,' "$i" "$(port "$i")"; done)
    # The web server has the name of the domain, which leads to $addr as nothing listens there on 127.0.0.1.
    ways=()
    for way in direct-tls=d%g fallback=f%g idna=bücher.i%g dead-end=c%g no-service=n%g; do
        ways+=(--remote-way "${way%%=*}=$(seq -s, -f "${way#*=}.verona.example" 8)")
    done
    "$suite" run --host "$addr" --port 5222 --domain localhost --label "$peer" --direct-tls-port 5223 \
        "${options[@]}" "${admin[@]}" --web https://localhost:5283 --component "${components%,}" \
        --remote-domain "$(seq -s, -f 'v%g.verona.example' 160)" --remote-listen "127.0.0.1:$other" \
        "${ways[@]}" --server-tls-port 5270 --remote-authority "$tmp/$peer/authority.pem" \
        --json "$out/$peer.json" --html "$out/$peer.html" --junit "$out/$peer.xml" "$@" > "$out/$peer.txt"
    cat "$out/$peer.txt"
)

number=0 reports=()
for peer in ${peers//,/ }; do
    number=$((number + 1))
    rm -f "$out/$peer.json"
    run "$peer" "$number" "$@" &
    [ -n "$together" ] || wait
    reports+=("$out/$peer.json")
done
wait
"$suite" compare "${reports[@]}" > "$out/compare.md" && cat "$out/compare.md"
