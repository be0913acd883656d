#!/usr/bin/env bash
# Runs Prosody in the foreground with everything it has switched on, open registration and no rate limits.
#   prosody.sh ADDRESS [DIRECTORY]
# STARTTLS on 5222, direct TLS on 5223, components on 5347 (c1.localhost to c8.localhost, secret "secret"), HTTP on 5280, HTTPS on 5283,
# servers on 5269 and (direct TLS) 5270, and with REMOTE=PORT others at that port (see common.sh).
# PLAINTEXT=1 allows logins without TLS. The administrator is admin@localhost, password "secret".
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
# Out of the box only administrators create nodes at mod_pubsub, and no option says otherwise.
mkdir -p "$dir/modules"
cat > "$dir/modules/mod_open_nodes.lua" <<'LUA'
local config = module:depends("pubsub").service.config;
local capabilities = {};
for affiliation, allowed in pairs(config.capabilities) do
    capabilities[affiliation] = setmetatable({ create = affiliation ~= "outcast" }, { __index = allowed });
end
config.capabilities = capabilities;
LUA
unbound=
if [ -n "${REMOTE:-}" ]; then
    unbound="unbound = { resolvconf = false; hoststxt = false; forward = \"$addr@5453\"; options = { [\"do-not-query-localhost:\"] = \"no\" } }"
fi
cat > "$dir/prosody.cfg.lua" <<CFG
daemonize = false
run_as_root = true
interfaces = { "$addr" }
local_interfaces = { "$addr" }
c2s_ports = { 5222 }
c2s_direct_tls_ports = { 5223 }
s2s_ports = { 5269 }
s2s_direct_tls_ports = { 5270 }
s2s_secure_auth = false
$unbound
component_ports = { 5347 }
component_interfaces = { "$addr" }
http_ports = { 5280 }
http_interfaces = { "$addr" }
https_ports = { 5283 }
https_interfaces = { "$addr" }
https_ssl = { key = "$dir/key.pem"; certificate = "$dir/cert.pem"; }
data_path = "$dir"
pidfile = "$dir/prosody.pid"
plugin_paths = { "$dir/modules" }
admins = { "admin@localhost" }
modules_enabled = { "disco"; "roster"; "saslauth"; "tls"; "dialback"; "s2s_bidi"; "blocklist"; "bookmarks"; "carbons"; "pep"; "private"; "smacks";
    "vcard4"; "vcard_legacy"; "csi"; "csi_simple"; "ping"; "register"; "register_ibr"; "time"; "uptime"; "version"; "mam";
    "posix"; "adhoc"; "admin_adhoc"; "lastactivity"; "websocket"; "bosh"; "external_services"; "server_contact_info";
    "turn_external"; "proxy65"; "tombstones"; "invites"; "invites_adhoc"; "invites_register"; }
allow_registration = true
registration_invite_only = false
allow_user_invites = true
allow_contact_invites = true
registration_delete_grace_period = nil
c2s_require_encryption = $([ -n "${PLAINTEXT:-}" ] && echo false || echo true)
allow_unencrypted_plain_auth = $([ -n "${PLAINTEXT:-}" ] && echo true || echo false)
authentication = "internal_hashed"
storage = "internal"
default_archive_policy = true
archive_expires_after = "1w"
smacks_hibernation_time = 300
turn_external_host = "turn.localhost"
turn_external_secret = "secret"
contact_info = { abuse = { "mailto:abuse@localhost" }; admin = { "xmpp:admin@localhost" }; feedback = { "https://localhost/feedback" };
    sales = { "mailto:sales@localhost" }; security = { "mailto:security@localhost" }; support = { "mailto:support@localhost" } }
consider_websocket_secure = true
consider_bosh_secure = true
log = { info = "$dir/log" }
ssl = { key = "$dir/key.pem"; certificate = "$dir/cert.pem"; cafile = "$dir/ca.pem"; }
VirtualHost "localhost"
    disco_items = { { "pubsub.localhost" }, { "upload.localhost" } }
Component "conference.localhost" "muc"
    modules_enabled = { "muc_mam" }
    muc_log_by_default = true
Component "pubsub.localhost" "pubsub"
    modules_enabled = { "open_nodes" }
    autocreate_on_publish = false
    expose_publisher = true
Component "upload.localhost" "http_file_share"
    http_host = "$addr"
    http_external_url = "https://$addr:5283/"
    http_file_share_daily_quota = 5*1024*1024
$(for i in 1 2 3 4 5 6 7 8; do printf 'Component "c%d.localhost"\n    component_secret = "secret"\n' $i; done)
Component "proxy.localhost" "proxy65"
    proxy65_address = "$addr"
    proxy65_ports = { 5000 }
CFG
prosodyctl --config "$dir/prosody.cfg.lua" register admin localhost secret
exec prosody --config "$dir/prosody.cfg.lua"
