#!/usr/bin/env bash
# Runs ejabberd in the foreground with everything it has switched on, open registration and no rate limits.
#   ejabberd.sh ADDRESS [DIRECTORY]
# STARTTLS on 5222, direct TLS on 5223, components c1.localhost to c8.localhost on 5351 to 5358 (secret "secret"), HTTP on 5280,
# HTTPS on 5283, servers on 5269 and (direct TLS) 5270, and with REMOTE=PORT others at that port (see common.sh).
# PLAINTEXT=1 allows logins without TLS. The administrator is admin@localhost, password "secret".
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
cat > "$dir/ejabberd.yml" <<CFG
loglevel: info
hosts: [ "localhost" ]
certfiles: [ "$dir/both.pem" ]
listen:
  - port: 5222
    ip: "$addr"
    module: ejabberd_c2s
    max_stanza_size: 262144
    $([ -n "${PLAINTEXT:-}" ] && echo "starttls: true" || echo "starttls_required: true")
    protocol_options: [ no_sslv3, no_tlsv1, no_tlsv1_1, no_compression ]
  - port: 5223
    ip: "$addr"
    module: ejabberd_c2s
    max_stanza_size: 262144
    tls: true
$(for i in 1 2 3 4 5 6 7 8; do
    printf '  - { port: 535%d, ip: "%s", module: ejabberd_service, hosts: { c%d.localhost: { password: secret } } }\n' $i "$addr" $i
done)
  - port: 5269
    ip: "$addr"
    module: ejabberd_s2s_in
    max_stanza_size: 262144
  - port: 5270
    ip: "$addr"
    module: ejabberd_s2s_in
    max_stanza_size: 262144
    tls: true
  - port: 5280
    ip: "$addr"
    module: ejabberd_http
    request_handlers: { /ws: ejabberd_http_ws, /bosh: mod_bosh }
  - port: 5283
    ip: "$addr"
    module: ejabberd_http
    tls: true
    request_handlers:
      /upload: mod_http_upload
      /ws: ejabberd_http_ws
      /bosh: mod_bosh
      /.well-known/host-meta: mod_host_meta
      /.well-known/host-meta.json: mod_host_meta
s2s_use_starttls: optional
s2s_cafile: "$dir/ca.pem"
disable_sasl_mechanisms: [ "digest-md5", "X-OAUTH2" ]
auth_password_format: scram
registration_timeout: infinity
acl: { admin: { user: [ "admin@localhost" ] } }
access_rules:
  local: { allow: all }
  announce: { allow: admin }
  configure: { allow: admin }
  muc_create: { allow: all }
  pubsub_createnode: { allow: all }
shaper_rules: { max_user_sessions: 100, max_user_offline_messages: infinity }
modules:
  mod_adhoc: {}
  mod_announce: { access: announce }
  mod_avatar: {}
  mod_blocking: {}
  mod_bosh: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_configure: {}
  mod_disco: {}
  mod_host_meta: { bosh_service_url: "https://$addr:5283/bosh", websocket_url: "wss://$addr:5283/ws" }
  mod_http_upload: { put_url: "https://$addr:5283/upload", docroot: "$dir/upload", custom_headers: { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET,HEAD,PUT,OPTIONS" } }
  mod_last: {}
  mod_mam: { assume_mam_usage: true, default: always }
  mod_muc: { access_create: muc_create, access_persistent: muc_create, default_room_options: { mam: true } }
  mod_muc_admin: {}
  mod_offline: { access_max_user_messages: max_user_offline_messages }
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_proxy65: { port: 7777, ip: "$addr" }
  mod_pubsub:
    access_createnode: pubsub_createnode
    plugins: [ flat, pep ]
    force_node_config: { "storage:bookmarks": { access_model: whitelist } }
  mod_push: {}
  mod_push_keepalive: {}
  mod_register: { ip_access: all, password_strength: 0, welcome_message: { subject: "", body: "" } }
  mod_roster: { versioning: true }
  mod_s2s_dialback: {}
  mod_stream_mgmt: { resend_on_timeout: if_offline }
  mod_stun_disco: {}
  mod_time: {}
  mod_vcard: { search: false }
  mod_vcard_xupdate: {}
  mod_version: {}
CFG
if [ -n "${REMOTE:-}" ]; then
    printf '%s.\n' '{lookup, [dns]}' '{resolv_conf, ""}' '{hosts_file, ""}' "{nameserver, {${addr//./,}}, 5453}" > "$dir/inetrc"
    export ERL_INETRC=$dir/inetrc
fi
# As ejabberdctl does, but without a node name (so no epmd) and in the foreground.
libs=$(dpkg -L ejabberd | sed -n 's,/ejabberd-[^/]*/ebin/ejabberd.app$,,p')
mkdir -p "$dir/db" "$dir/upload"
cd "$dir"
exec env ERL_LIBS="$libs" HOME="$dir" EJABBERD_CONFIG_PATH="$dir/ejabberd.yml" EJABBERD_LOG_PATH="$dir/log" \
    ERL_CRASH_DUMP_BYTES=0 erl +K true +P 250000 -noinput -mnesia dir "\"$dir/db\"" -s ejabberd \
    -eval 'ok = ejabberd_auth:try_register(<<"admin">>, <<"localhost">>, <<"secret">>).'
