//! Every kind of spoilt traffic is noticed by a play that passes when nothing is spoilt.

use crate::kinds::KINDS;
use crate::proxy::{self, Spoil};
use crate::support::{DOMAIN, Server};
use conformance_suite::net::{Remotes, Security, Target, Trust, client_config};
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
/// What an honest server may take, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is not there after this time is missed.
const IMPATIENCE: Duration = Duration::from_secs(2);

#[test]
fn whatever_is_spoilt_is_noticed() {
    assert!(KINDS.len() >= 30, "the list may grow");
    let server = Server::configured(
        "default_host.require_tls = false\nlimits.address.connections = 10000\n\
         limits.address.auth_failures = \"1000000/1h\"\n",
    );
    let address = server.c2s();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let faults = runtime.block_on(async {
        let library = Arc::new(Library::embedded().unwrap_or_else(|mistakes| panic!("{}", mistakes[0])));
        let target = target(address, Spoil::Honest, PATIENCE).await;
        let profile = survey(&target, &Accounts { source: Source::Register }).await;
        assert_eq!(profile.no_accounts, None);
        let stage = Arc::new(Stage { address, library, profile, gate: Semaphore::new(PARALLEL) });
        let mut plays = JoinSet::new();
        let honest: BTreeMap<&str, ()> = KINDS.iter().map(|kind| (kind.play, ())).collect();
        for play in honest.into_keys() {
            let stage = stage.clone();
            plays.spawn(async move { stage.fault("nothing spoilt", play, Spoil::Honest, Status::Pass).await });
        }
        for kind in KINDS {
            let stage = stage.clone();
            plays.spawn(async move { stage.fault(kind.what, kind.play, kind.spoil, Status::Fail).await });
        }
        plays.join_all().await
    });
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    // What is wrong is said below; the server has nothing to add.
    drop(server);
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

struct Stage {
    address: SocketAddr,
    library: Arc<Library>,
    profile: Profile,
    gate: Semaphore,
}

impl Stage {
    /// Puts a play on and says so if it does not end as it should.
    async fn fault(&self, what: &str, play: &str, spoil: Spoil, wanted: Status) -> Option<String> {
        let _permit = self.gate.acquire().await.unwrap();
        let Some(requirement) = self.library.get(play) else { return Some(format!("there is no play {play}")) };
        if let Some(Outcome { detail, .. }) = self.profile.rules_out(requirement) {
            return Some(format!("{play} does not apply: {detail:?}"));
        }
        let patience = if wanted == Status::Pass { PATIENCE } else { IMPATIENCE };
        let run = Run {
            target: target(self.address, spoil, patience).await,
            accounts: Accounts { source: Source::Register },
            profile: self.profile.clone(),
            components: Components::new(&[]),
            remotes: Remotes::none(),
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

async fn target(server: SocketAddr, spoil: Spoil, patience: Duration) -> Arc<Target> {
    Arc::new(Target {
        host: "127.0.0.1".into(),
        port: proxy::start(server, spoil).await,
        domain: DOMAIN.into(),
        security: Security::None,
        direct_tls_port: None,
        websocket: None,
        bosh: None,
        web: None,
        tls: client_config(&Trust::Any).unwrap(),
        components: Vec::new(),
        remote: None,
        timeout: patience,
        quiet: Duration::from_millis(100),
    })
}
