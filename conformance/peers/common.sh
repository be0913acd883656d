# Shared by the start scripts of the peers: a temporary directory with a self-signed certificate for `localhost`.
# With REMOTE=PORT also a name server on port 5453 of that address, as long as the server runs: it says that v1.verona.example to
# v160.verona.example are other servers, at that port of localhost.
# Sourced with $1 = the loopback address to listen on; sets addr, dir and leaves key.pem, cert.pem, both.pem in $dir, ca.pem, the
# authority whose certificates other servers show, and authority.pem, the same with its key, for --remote-authority.
set -eu
addr=${1:?usage: $0 ADDRESS [DIRECTORY]}
dir=${2:-$(mktemp -d)}
mkdir -p "$dir"
chmod 755 "$dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,DNS:conference.localhost,DNS:pubsub.localhost,DNS:upload.localhost" \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
cat "$dir/key.pem" "$dir/cert.pem" > "$dir/both.pem"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Authority of other servers" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
cat "$dir/ca.key" "$dir/ca.pem" > "$dir/authority.pem"
if [ -n "${REMOTE:-}" ]; then
    records=()
    for n in $(seq 160); do records+=("--srv-host=_xmpp-server._tcp.v$n.verona.example,localhost,$REMOTE"); done
    # The ways of PLAYS.md. Nothing listens on port 9.
    for n in $(seq 8); do
        records+=("--srv-host=_xmpps-server._tcp.d$n.verona.example,localhost,$REMOTE"
            "--srv-host=_xmpp-server._tcp.f$n.verona.example,localhost,9,5" "--srv-host=_xmpp-server._tcp.f$n.verona.example,localhost,$REMOTE,10"
            "--srv-host=_xmpp-server._tcp.xn--bcher-kva.i$n.verona.example,localhost,$REMOTE"
            "--srv-host=_xmpp-server._tcp.c$n.verona.example,localhost,9" "--srv-host=_xmpp-server._tcp.n$n.verona.example")
    done
    # Every other name is unknown; nothing is asked beyond this machine.
    {
        PATH=$PATH:/usr/sbin dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
            --bind-interfaces --listen-address="$addr" --port=5453 --host-record=localhost,127.0.0.1 --local=/example/ --address=/#/ "${records[@]}" &
        names=$!
        while kill -0 $$ 2>/dev/null; do sleep 1; done
        kill $names
    } &
fi
