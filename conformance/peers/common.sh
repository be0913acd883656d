# Shared by the start scripts of the peers: a temporary directory with a self-signed certificate for `localhost`.
# Sourced with $1 = the loopback address to listen on; sets addr, dir and leaves key.pem, cert.pem, both.pem in $dir.
set -eu
addr=${1:?usage: $0 ADDRESS [DIRECTORY]}
dir=${2:-$(mktemp -d)}
mkdir -p "$dir"
chmod 755 "$dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,DNS:conference.localhost,DNS:pubsub.localhost,DNS:upload.localhost" \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
cat "$dir/key.pem" "$dir/cert.pem" > "$dir/both.pem"
