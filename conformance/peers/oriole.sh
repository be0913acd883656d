#!/usr/bin/env bash
# Runs Oriole in the foreground with open registration and no limits on connections and registrations.
#   oriole.sh ADDRESS [DIRECTORY]
# The program is $ORIOLE, or target/release/oriole of this repository (cargo build --release).
# STARTTLS on 5222, direct TLS on 5223, components on 5347 (c1.localhost to c8.localhost, secret "secret"), HTTP on 5280, HTTPS on 5283,
# servers on 5269 and (direct TLS) 5270, and with REMOTE=PORT others at that port (see
# common.sh).
# PLAINTEXT=1 allows logins without TLS. The administrator is admin@localhost, password "secret".
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
cat > "$dir/oriole.toml" <<CFG
server.data_dir = "$dir/data"
listen.c2s.addresses = ["$addr:5222"]
listen.c2s_tls.addresses = ["$addr:5223"]
listen.s2s.addresses = ["$addr:5269"]
listen.s2s_tls.addresses = ["$addr:5270"]
federation.ca_file = "$dir/ca.pem"
federation.timeouts.deliver = "5s"
listen.component.addresses = ["$addr:5347"]
listen.http.addresses = ["$addr:5280"]
listen.https.addresses = ["$addr:5283"]
http.public_addresses = ["$addr"]
limits.address.connections = 10000
limits.address.registrations = "1000000/1h"
limits.address.auth_failures = "1000000/1h"
default_host.registration.mode = "open"
default_host.admins = ["admin@localhost"]
default_host.rooms.creations = "20/1h"
default_host.upload = { max_size = "100 MiB", quota = "50 MiB" }
default_host.require_tls = $([ -n "${PLAINTEXT:-}" ] && echo false || echo true)
default_host.contact = { abuse = ["mailto:abuse@localhost"], admin = ["xmpp:admin@localhost"], feedback = ["https://localhost/feedback"] }
hosts.localhost = { certificate = "$dir/cert.pem", key = "$dir/key.pem" }
$(for i in 1 2 3 4 5 6 7 8; do printf 'components."c%d.localhost".secret = "secret"\n' $i; done)
CFG
[ -z "${REMOTE:-}" ] || echo "federation.resolver = \"$addr:5453\"" >> "$dir/oriole.toml"
oriole=${ORIOLE:-$here/../../target/release/oriole}
echo secret | "$oriole" --config "$dir/oriole.toml" user add admin@localhost --password-stdin
exec "$oriole" --config "$dir/oriole.toml"
