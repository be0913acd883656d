//! Handshakes in memory: which certificate a client gets, what binds it, whom it proves to be.

use super::*;
use crate::config::{self, HostConfig};
use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion,
    pki_types::{PrivateKeyDer, ServerName},
    version::{TLS12, TLS13},
};
use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

/// A moment at which all certificates of these tests are valid.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn config(dir: &Path, hosts: &[&str]) -> Config {
    let mut config = Config::default();
    config.server.data_dir = Some(dir.to_owned());
    config.hosts = hosts.iter().map(|name| (name.parse().unwrap(), HostConfig::default())).collect();
    config
}

/// The authority behind client certificates in these tests.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Verona CA");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate and key; `usage` limits what it may be used for.
fn client_certificate(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    address: &str,
    usage: &[ExtendedKeyUsagePurpose],
) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 5], address.into()))];
    params.extended_key_usages = usage.to_vec();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

/// What a client says in its handshake.
struct Client {
    version: &'static SupportedProtocolVersion,
    sni: Option<&'static str>,
    alpn: Option<&'static [u8]>,
    certificate: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
}

impl Default for Client {
    fn default() -> Self {
        Self { version: &TLS13, sni: Some("example.org"), alpn: None, certificate: None }
    }
}

impl Client {
    /// A client that trusts exactly the certificate of `name` on this server, and expects to meet that name.
    fn connector(self, tls: &Tls, name: &str) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(own_certificate(tls, name)).unwrap();
        let mut verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        verifier = verifier.allow_unknown_revocation_status();
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[self.version]).unwrap();
        let builder = builder.with_webpki_verifier(verifier.build().unwrap());
        let mut config = match self.certificate {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.sni.is_some();
        config.alpn_protocols = self.alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.time_provider = Arc::new(FixedTime);
        TlsConnector::from(Arc::new(config))
    }
}

#[derive(Debug)]
struct FixedTime;

impl rustls::time_provider::TimeProvider for FixedTime {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        Some(rustls::pki_types::UnixTime::since_unix_epoch(now().duration_since(UNIX_EPOCH).unwrap()))
    }
}

fn own_certificate(tls: &Tls, name: &str) -> CertificateDer<'static> {
    tls.host(Some(name)).own_certificate().clone()
}

type Handshake = (
    io::Result<(TlsStream<tokio::io::DuplexStream>, Arc<HostTls>)>,
    io::Result<tokio_rustls::client::TlsStream<tokio::io::DuplexStream>>,
);

/// Runs a handshake in which the client expects to meet `expects`.
async fn handshake(tls: &Tls, begin: Begin, to: Option<&str>, client: Client, expects: &str) -> Handshake {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let name = ServerName::try_from(client.sni.unwrap_or(expects).to_owned()).unwrap();
    let connector = client.connector(tls, expects);
    tokio::join!(tls.accept(ours, begin, to), connector.connect(name, theirs))
}

#[tokio::test]
async fn a_host_without_certificate_gets_one_that_is_kept_private() {
    let dir = TempDir::new().unwrap();
    let config = config(dir.path(), &["example.org"]);
    let tls = Tls::load(&config, now()).unwrap();
    let (server, client) = handshake(&tls, Begin::Direct, None, Client::default(), "example.org").await;
    server.unwrap();
    client.unwrap();

    let facts = tls.host(None).certificate().clone();
    assert_eq!(facts.names, ["example.org", "*.example.org"]);
    assert!(facts.self_signed && facts.covers("example.org") && facts.covers("conference.example.org"));
    assert!(!facts.covers("example.net"));
    assert_eq!(facts.warnings("example.org", now()), Vec::<String>::new());
    for name in ["certs", "certs/example.org.pem", "certs/example.org.key"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    let again = Tls::load(&config, now()).unwrap();
    assert_eq!(again.host(None).certificate().fingerprint, facts.fingerprint, "a restart keeps the certificate");
}

#[tokio::test]
async fn a_self_made_certificate_is_made_anew_when_it_nears_its_end_or_is_broken() {
    let dir = TempDir::new().unwrap();
    let config = config(dir.path(), &["example.org"]);
    let tls = Tls::load(&config, now()).unwrap();
    let first = tls.host(None).certificate().clone();
    let late = first.not_after - Duration::from_secs(20 * 86_400);
    tls.reload(&config, late).unwrap();
    let second = tls.host(None).certificate().clone();
    assert_ne!(first.fingerprint, second.fingerprint);
    assert!(second.not_after > late + Duration::from_secs(9 * 365 * 86_400));

    std::fs::write(dir.path().join("certs/example.org.key"), "torn").unwrap();
    tls.reload(&config, late).unwrap();
    assert_ne!(tls.host(None).certificate().fingerprint, second.fingerprint);
}

#[tokio::test]
async fn the_host_is_chosen_by_stream_header_then_by_sni_then_by_default() {
    let dir = TempDir::new().unwrap();
    let tls = Tls::load(&config(dir.path(), &["capulet.example", "bücher.example"]), now()).unwrap();
    for (begin, to, sni, expects) in [
        (Begin::Direct, None, Some("capulet.example"), "capulet.example"),
        (Begin::Direct, None, Some("xn--bcher-kva.example"), "xn--bcher-kva.example"),
        (Begin::StartTls, Some("bücher.example"), None, "xn--bcher-kva.example"),
        (Begin::StartTls, Some("Capulet.Example"), None, "capulet.example"),
        (Begin::Direct, None, None, "xn--bcher-kva.example"),
    ] {
        let client = Client { sni, ..Client::default() };
        let (server, client) = handshake(&tls, begin, to, client, expects).await;
        let (_, host) = server.unwrap();
        client.unwrap();
        assert!(host.certificate().covers(expects), "{expects}");
    }
}

#[tokio::test]
async fn direct_tls_speaks_xmpp_client_and_tolerates_silence() {
    let dir = TempDir::new().unwrap();
    let tls = Tls::load(&config(dir.path(), &["example.org"]), now()).unwrap();
    for (begin, alpn, agreed) in [
        (Begin::Direct, Some(&b"xmpp-client"[..]), Ok(Some(&b"xmpp-client"[..]))),
        (Begin::Direct, None, Ok(None)),
        (Begin::Direct, Some(&b"h2"[..]), Err(())),
        (Begin::StartTls, Some(&b"xmpp-client"[..]), Ok(None)),
    ] {
        let client = Client { alpn, ..Client::default() };
        let (server, _client) = handshake(&tls, begin, None, client, "example.org").await;
        let protocol = server.map(|(stream, _)| stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)).map_err(|_| ());
        assert_eq!(protocol, agreed.map(|agreed| agreed.map(<[u8]>::to_vec)), "{begin:?} {alpn:?}");
    }
}

#[tokio::test]
async fn both_ends_agree_on_the_channel_bindings() {
    let dir = TempDir::new().unwrap();
    let tls = Tls::load(&config(dir.path(), &["example.org"]), now()).unwrap();
    for version in [&TLS12, &TLS13] {
        let client = Client { version, ..Client::default() };
        let (server, client) = handshake(&tls, Begin::StartTls, Some("example.org"), client, "example.org").await;
        let (stream, host) = server.unwrap();
        let client = client.unwrap();
        let theirs: &ClientConnection = client.get_ref().1;
        let exported = theirs.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let hash = binding::sha256(&theirs.peer_certificates().unwrap()[0]);
        let ours = host.channel_bindings(stream.get_ref().1);
        let expected = ChannelBindings { exporter: Some(exported.to_vec()), server_end_point: Some(hash) };
        assert_eq!(ours, expected, "{version:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_proves_its_addresses_only_through_the_configured_authority() {
    let dir = TempDir::new().unwrap();
    let verona = authority();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, verona.pem()).unwrap();
    let mut config = config(dir.path(), &["example.org"]);
    config.hosts.values_mut().for_each(|host| host.client_ca = Some(ca.clone()));
    let tls = Tls::load(&config, now()).unwrap();

    let juliet = "juliet@example.org";
    let client_auth = [ExtendedKeyUsagePurpose::ClientAuth];
    for (what, certificate, proves) in [
        ("for clients", Some(client_certificate(&verona, juliet, &client_auth)), vec![juliet]),
        ("for anything", Some(client_certificate(&verona, juliet, &[])), vec![juliet]),
        ("for code", Some(client_certificate(&verona, juliet, &[ExtendedKeyUsagePurpose::CodeSigning])), vec![]),
        ("by another authority", Some(client_certificate(&authority(), juliet, &client_auth)), vec![]),
        ("none", None, vec![]),
    ] {
        for version in [&TLS12, &TLS13] {
            let certificate = certificate.as_ref().map(|(own, key)| (own.clone(), key.clone_key()));
            let client = Client { version, certificate, ..Client::default() };
            let (server, _client) = handshake(&tls, Begin::Direct, None, client, "example.org").await;
            let (stream, host) = server.unwrap_or_else(|error| panic!("{what}: the handshake must succeed: {error}"));
            assert_eq!(host.client_identities(stream.get_ref().1, now()), proves, "{what}");
        }
    }
    let own = client_certificate(&verona, juliet, &client_auth).0;
    let roots = pem::load_roots(&ca).unwrap();
    let after_the_end = UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 20);
    assert_eq!(client_identities(std::slice::from_ref(&own), &roots, after_the_end), Vec::<String>::new());
    assert_eq!(client_identities(&[], &roots, now()), Vec::<String>::new());
}

#[tokio::test]
async fn a_host_without_client_authority_asks_for_no_certificate() {
    let dir = TempDir::new().unwrap();
    let tls = Tls::load(&config(dir.path(), &["example.org"]), now()).unwrap();
    let client =
        Client { certificate: Some(client_certificate(&authority(), "a@example.org", &[])), ..Client::default() };
    let (server, _client) = handshake(&tls, Begin::Direct, None, client, "example.org").await;
    let (stream, host) = server.unwrap();
    assert!(stream.get_ref().1.peer_certificates().is_none());
    assert_eq!(host.client_identities(stream.get_ref().1, now()), Vec::<String>::new());
}

#[test]
fn errors_name_the_file_and_what_is_wrong() {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let pair = || rcgen::generate_simple_self_signed(vec!["example.org".to_owned()]).unwrap();
    let (one, other) = (pair(), pair());
    let certificate = write("good.pem", &one.cert.pem());
    let key = write("good.key", &one.signing_key.serialize_pem());
    assert!(pem::load(&certificate, &key).is_ok());
    let file = dir.path().display();
    for (certificate, key, expected) in [
        (dir.path().join("none.pem"), key.clone(), format!("{file}/none.pem: No such file or directory (os error 2)")),
        (write("empty.pem", ""), key.clone(), format!("{file}/empty.pem: expected certificates in PEM, found none")),
        (
            certificate.clone(),
            certificate.clone(),
            format!("{file}/good.pem: expected a private key in PEM, found none"),
        ),
        (
            certificate.clone(),
            write("other.key", &other.signing_key.serialize_pem()),
            format!("{file}/other.key: this is not the key of the certificate in {file}/good.pem"),
        ),
        (
            certificate.clone(),
            write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
            format!("{file}/locked.key: expected a private key without a passphrase, found an encrypted one"),
        ),
    ] {
        assert_eq!(pem::load(&certificate, &key).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_failed_reload_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let good = config(dir.path(), &["example.org"]);
    let tls = Tls::load(&good, now()).unwrap();
    let before = tls.host(None).certificate().fingerprint.clone();
    let bad = config::parse(
        "[hosts.\"example.org\"]\ncertificate = \"/nowhere/a.pem\"\nkey = \"/nowhere/a.key\"\n",
        Path::new("oriole.toml"),
    );
    assert!(tls.reload(&bad.unwrap(), now()).is_err());
    assert_eq!(tls.host(None).certificate().fingerprint, before);
}

#[test]
fn expiry_and_a_wrong_name_are_warned_of() {
    let dir = TempDir::new().unwrap();
    let tls = Tls::load(&config(dir.path(), &["example.org"]), now()).unwrap();
    let facts = tls.host(None).certificate().clone();
    let day = Duration::from_secs(86_400);
    assert_eq!(facts.warnings("example.org", facts.not_after - 5 * day), ["the certificate expires in 5 days"]);
    assert_eq!(facts.warnings("example.org", facts.not_after + day), ["the certificate has expired"]);
    assert_eq!(facts.warnings("example.org", facts.not_before - day), ["the certificate is not valid yet"]);
    assert_eq!(
        facts.warnings("example.net", now()),
        ["the certificate is not for example.net, but for example.org, *.example.org"]
    );
}

#[test]
fn a_host_may_be_an_ip_address() {
    let dir = TempDir::new().unwrap();
    let tls = Tls::load(&config(dir.path(), &["127.0.0.1", "[::1]"]), now()).unwrap();
    assert_eq!(tls.host(Some("[::1]")).certificate().names, ["::1"]);
    assert_eq!(tls.host(Some("127.0.0.1")).certificate().names, ["127.0.0.1"]);
}

/// XEP-0198 section 10, XEP-0386 section 4, XEP-0388 section 3: no early data of TLS 1.3 (0-RTT), so nothing in them is acted upon.
#[test]
fn nobody_speaks_before_the_handshake_is_done() {
    let dir = TempDir::new().unwrap();
    let tls = Tls::load(&config(dir.path(), &["example.org"]), now()).unwrap();
    for begin in [Begin::StartTls, Begin::Direct, Begin::Web] {
        assert_eq!(tls.config_for(Some("example.org"), begin).max_early_data_size, 0, "{begin:?}");
    }
}
