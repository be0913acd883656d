#!/usr/bin/env bash
# What files cost the server in memory: uploads at one time into a directory, then ranges of one of them by wrk.
#   tests/bench/files.sh [UPLOADS [MEGABYTES [SECONDS]]]
# Needs the release build (cargo build --release), the libraries of tests/clients (.ci/run), curl, wrk, and room on the disk for
# all of the files: 10 GB with the usual 100 uploads of 100 MB. They are below $TMPDIR, and are removed.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill $pid && wait $pid; } 2>/dev/null; rm -rf "$dir"' EXIT
address=127.0.91.2
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
cat > "$dir/oriole.toml" <<CONFIG
server.data_dir = "$dir/data"
log.level = "warn"
listen.c2s.addresses = ["$address:5222"]
listen.c2s_tls.addresses = []
listen.https.addresses = []
listen.http.addresses = ["$address:5280"]
federation.enabled = false
limits.address.connections = 10000
default_host.upload = { quota = "1000 GiB", host_quota = "1000 GiB" }
[hosts.localhost]
certificate = "$dir/cert.pem"
key = "$dir/key.pem"
public_url = "http://$address:5280"
CONFIG
oriole=${ORIOLE:-$here/target/release/oriole}
"$oriole" --config "$dir/oriole.toml" user add bench@localhost --password-stdin <<< "correct horse" > "$dir/output"
"$oriole" --config "$dir/oriole.toml" serve >> "$dir/output" 2>&1 &
pid=$!
until (exec 3<>"/dev/tcp/$address/5280") 2>/dev/null; do
    kill -0 $pid || { cat "$dir/output" >&2; exit 1; }
    sleep 0.2
done
"${ORIOLE_PYTHON:-$here/target/venv/bin/python}" "$here/tests/bench/files.py" "$address" "$pid" "$dir" "$@"
