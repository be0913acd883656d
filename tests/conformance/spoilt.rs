//! Every kind of spoilt traffic is noticed by a play that passes when nothing is spoilt.

use crate::kinds::{KINDS, Side};
use crate::proxy::{self, Spoil};
use crate::support::{DOMAIN, Server};
use conformance_suite::net::{RemoteAccess, Remotes, Security, Target, Trust, client_config};
use conformance_suite::play::Library;
use conformance_suite::report::{Outcome, Status};
use conformance_suite::run::{Accounts, Components, Profile, Run, Source, perform, survey};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Plays at the same time.
const PARALLEL: usize = 16;
/// Domains of other servers.
const DOMAINS: usize = 60;
/// What an honest server may take, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is not there after this time is missed.
const IMPATIENCE: Duration = Duration::from_secs(2);

#[test]
fn whatever_is_spoilt_is_noticed() {
    assert!(KINDS.len() >= 30, "the list may grow");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap();
    let domains: Vec<String> = (0..DOMAINS).map(|number| format!("v{number}.verona.example")).collect();
    let routes: String =
        domains.iter().map(|domain| format!("federation.routes.\"{domain}\" = \"{listen}\"\n")).collect();
    let server = Server::configured(&format!(
        "default_host.require_tls = false\nlimits.address.connections = 10000\n\
         limits.address.auth_failures = \"1000000/1h\"\nlisten.s2s.addresses = [\"127.0.0.1:0\"]\n\
         federation.require_tls = false\n{routes}"
    ));
    let addresses = Addresses { clients: server.c2s(), servers: server.s2s(), listen };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let faults = runtime.block_on(async {
        let library = Arc::new(Library::embedded().unwrap_or_else(|mistakes| panic!("{}", mistakes[0])));
        let target = target(addresses, Spoil::Honest, Side::Clients, PATIENCE).await;
        let profile = survey(&target, &Accounts { source: Source::Register }).await;
        assert_eq!(profile.no_accounts, None);
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let access = RemoteAccess { domains, ..target.remote.clone().unwrap() };
        let remotes = Arc::new(Remotes::at(listener, &access).unwrap());
        let stage = Arc::new(Stage { addresses, remotes, library, profile, gate: Semaphore::new(PARALLEL) });
        let mut plays = JoinSet::new();
        let honest: BTreeMap<&str, ()> = KINDS.iter().map(|kind| (kind.play, ())).collect();
        for play in honest.into_keys() {
            let stage = stage.clone();
            let honest = (Spoil::Honest, Side::Clients);
            plays.spawn(async move { stage.fault("nothing spoilt", play, honest, Status::Pass).await });
        }
        for kind in KINDS {
            let stage = stage.clone();
            let spoil = (kind.spoil, kind.side);
            plays.spawn(async move { stage.fault(kind.what, kind.play, spoil, Status::Fail).await });
        }
        plays.join_all().await
    });
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    // What is wrong is said below; the server has nothing to add.
    drop(server);
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[derive(Clone, Copy)]
struct Addresses {
    clients: SocketAddr,
    servers: SocketAddr,
    /// Where other servers are.
    listen: SocketAddr,
}

struct Stage {
    addresses: Addresses,
    remotes: Arc<Remotes>,
    library: Arc<Library>,
    profile: Profile,
    gate: Semaphore,
}

impl Stage {
    /// Puts a play on and says so if it does not end as it should.
    async fn fault(&self, what: &str, play: &str, spoil: (Spoil, Side), wanted: Status) -> Option<String> {
        let _permit = self.gate.acquire().await.unwrap();
        let Some(requirement) = self.library.get(play) else { return Some(format!("there is no play {play}")) };
        if let Some(Outcome { detail, .. }) = self.profile.rules_out(requirement) {
            return Some(format!("{play} does not apply: {detail:?}"));
        }
        let patience = if wanted == Status::Pass { PATIENCE } else { IMPATIENCE };
        let run = Run {
            target: target(self.addresses, spoil.0, spoil.1, patience).await,
            accounts: Accounts { source: Source::Register },
            profile: self.profile.clone(),
            components: Components::new(&[]),
            remotes: self.remotes.clone(),
            parallel: 1,
            in_turn: Vec::new(),
            keep_logs: true,
        };
        let outcome = perform(&run, requirement).await;
        (outcome.status != wanted).then(|| {
            let Outcome { status, detail, log, .. } = outcome;
            format!("{what}: {play} is {} instead of {}: {detail:#?}\n{log:#?}", status.name(), wanted.name())
        })
    }
}

async fn target(at: Addresses, spoil: Spoil, side: Side, patience: Duration) -> Arc<Target> {
    let spoil_of = |other: Side| if other == side { spoil } else { Spoil::Honest };
    Arc::new(Target {
        host: "127.0.0.1".into(),
        port: proxy::start(at.clients, spoil_of(Side::Clients)).await,
        domain: DOMAIN.into(),
        security: Security::None,
        direct_tls_port: None,
        websocket: None,
        bosh: None,
        web: None,
        tls: client_config(&Trust::Any).unwrap(),
        components: Vec::new(),
        remote: Some(RemoteAccess {
            port: proxy::start(at.servers, spoil_of(Side::Servers)).await,
            listen: at.listen,
            domains: Vec::new(),
            direct_tls_port: None,
            authority: None,
            ways: BTreeMap::new(),
        }),
        timeout: patience,
        quiet: Duration::from_millis(100),
    })
}
