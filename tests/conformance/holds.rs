//! The conformance suite against this server: whatever is expected to hold must hold, and the list of what is not yet
//! expected to must not be longer than the truth (`conformance/expected/oriole.txt`).

use crate::support::{DOMAIN, PASSWORD, Server, user};
use conformance_suite::expect;
use conformance_suite::net::{Account, ComponentAccess, RemoteAccess, Remotes, Security, Target, Trust, client_config};
use conformance_suite::play::Library;
use conformance_suite::report::Report;
use conformance_suite::run::{Accounts, Components, Run, Source, perform_all, survey};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Components that plays may be at a time.
const COMPONENTS: usize = 4;
/// Domains of other servers; so many that none is used twice soon, when the server still pauses after a failed attempt.
const DOMAINS: usize = 160;
/// Who administers the server.
const ADMIN: &str = "prince";

#[test]
fn the_suite_holds_as_far_as_it_is_expected_to() {
    let mut changes = "default_host.registration.mode = \"open\"\nlimits.address.registrations = \"1000000/1h\"\n\
                       limits.address.connections = 10000\nlimits.address.auth_failures = \"1000000/1h\"\n"
        .to_owned();
    changes += &format!("default_host.admins = [\"{}\"]\n", user(ADMIN));
    // So that somebody can make too many rooms.
    changes += "default_host.rooms.creations = \"20/1h\"\n";
    for number in 0..COMPONENTS {
        changes += &format!("components.\"c{number}.{DOMAIN}\".secret = \"secret\"\n");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap();
    let domains: Vec<String> = (0..DOMAINS).map(|number| format!("v{number}.verona.example")).collect();
    for domain in &domains {
        changes += &format!("federation.routes.\"{domain}\" = \"{listen}\"\n");
    }
    let mut ways = BTreeMap::new();
    let nobody = format!("127.0.0.1:{}", free_port());
    // The other ways need a name server: `peers/run-all.sh` has one.
    for (way, label, route) in [
        ("direct-tls", "d", format!("tls:{listen}")),
        ("idna", "bücher.i", listen.to_string()),
        ("dead-end", "c", nobody),
    ] {
        let domains: Vec<String> = (0..4).map(|number| format!("{label}{number}.verona.example")).collect();
        for domain in &domains {
            changes += &format!("federation.routes.\"{domain}\" = \"{route}\"\n");
        }
        ways.insert(way.to_owned(), domains);
    }
    let files = tempfile::tempdir().unwrap();
    let (ca_file, authority) = authority(files.path());
    changes += &format!("federation.ca_file = \"{}\"\n", ca_file.display());
    changes += "listen.s2s.addresses = [\"127.0.0.1:0\"]\nfederation.timeouts.deliver = \"5s\"\n";
    changes += "listen.s2s_tls.addresses = [\"127.0.0.1:0\"]\n";
    // Links to files must lead back here, so the address of the web is known beforehand.
    let web = format!("127.0.0.1:{}", free_port());
    changes += &format!("listen.https.addresses = [\"{web}\"]\ndefault_host.public_url = \"https://{web}\"\n");
    // So that host-meta.json tells of all streams, with their ports.
    changes += &format!(
        "http.public_addresses = [\"127.0.0.1\"]\nlisten.c2s_tls.addresses = [\"127.0.0.1:{}\"]\n",
        free_port()
    );
    changes += "default_host.affiliations.contacts = true\n";
    // So that there is no room for the largest file.
    changes += "default_host.upload = { max_size = \"100 MiB\", quota = \"50 MiB\" }\n";
    let server = Server::configured(&changes);
    server.add_user(ADMIN);
    let components = (0..COMPONENTS).map(|number| ComponentAccess {
        port: server.component().port(),
        domain: format!("c{number}.{DOMAIN}"),
        secret: "secret".into(),
    });
    let target = Arc::new(Target {
        host: server.c2s().ip().to_string(),
        port: server.c2s().port(),
        domain: DOMAIN.into(),
        security: Security::Starttls,
        direct_tls_port: Some(server.c2s_tls().port()),
        websocket: Some(format!("wss://{web}/xmpp-websocket")),
        bosh: Some(format!("https://{web}/http-bind")),
        web: Some(format!("https://{web}")),
        tls: client_config(&Trust::Any).unwrap(),
        components: components.collect(),
        remote: Some(RemoteAccess {
            port: server.s2s().port(),
            listen,
            domains,
            direct_tls_port: Some(server.s2s_tls().port()),
            authority: Some(authority),
            ways,
        }),
        timeout: Duration::from_secs(20),
        quiet: Duration::from_millis(300),
    });
    let library = Library::embedded().unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let results = runtime.block_on(async {
        let admin = Account { user: ADMIN.into(), domain: DOMAIN.into(), password: PASSWORD.into() };
        let accounts = Accounts { source: Source::RegisterBesideAdmin(admin) };
        let profile = survey(&target, &accounts).await;
        assert_eq!(profile.no_accounts, None);
        let components = Components::new(&target.components);
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let remotes = Arc::new(Remotes::at(listener, target.remote.as_ref().unwrap()).unwrap());
        let run =
            Run { components, remotes, target, accounts, profile, parallel: 16, in_turn: Vec::new(), keep_logs: true };
        perform_all(Arc::new(run), &library.requirements, |_| {}).await
    });
    let list = include_str!("../../conformance/expected/oriole.txt");
    let report = Report { suite: String::new(), server: Default::default(), began: 0, seconds: 0.0, results };
    let surprises = expect::compare(&report, &expect::parse(list));
    for id in &surprises.failed {
        let outcome = report.results.iter().find(|outcome| outcome.id == *id);
        eprintln!("fails and is not on the list: {id}\n{outcome:#?}");
    }
    for id in &surprises.passed {
        eprintln!("passes now, take it off the list: {id}");
    }
    assert!(surprises.is_empty(), "see conformance/expected/oriole.txt");
}

/// Writes an authority into `dir`: its certificate, and the certificate with its key.
fn authority(dir: &Path) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().pem();
    let files = (dir.join("ca.pem"), dir.join("authority.pem"));
    std::fs::write(&files.0, &certificate).unwrap();
    std::fs::write(&files.1, certificate + &key.serialize_pem()).unwrap();
    files
}

/// A port that was free a moment ago, for what must be known before the server tells.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
