#!/bin/sh
# Runs the release build for a load generator that describes the server it wants by XL_ variables: XL_ADDR, XL_PORT,
# XL_DOMAIN, XL_CERT, XL_KEY and XL_DIR, an empty directory. Registration is open and nothing is throttled.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
cat > "$XL_DIR/oriole.toml" <<CONFIG
[server]
data_dir = "$XL_DIR/data"
[log]
level = "warn"
[listen.c2s]
addresses = ["$XL_ADDR:$XL_PORT"]
[listen.c2s_tls]
addresses = []
[listen.https]
addresses = []
[federation]
enabled = false
[hosts."$XL_DOMAIN"]
certificate = "$XL_CERT"
key = "$XL_KEY"
[hosts."$XL_DOMAIN".registration]
mode = "open"
[limits.address]
registrations = "1000000/1h"
connections = 100000
CONFIG
exec "${ORIOLE:-$here/target/release/oriole}" --config "$XL_DIR/oriole.toml" serve
