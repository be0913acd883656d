//! A run: survey the server, put on every play that applies, collect what became of them.

mod accounts;
mod casting;
mod components;
mod performance;
mod receive;
mod stagehand;
mod survey;
mod web;

pub use accounts::{Accounts, Source};
pub use survey::{Profile, survey};

use crate::net::{Log, Remotes, Target};
use crate::play::Requirement;
use crate::report::{Detail, Outcome, Status};
pub use components::Components;
use performance::Performance;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore, mpsc};

/// What all plays of a run share.
pub struct Run {
    pub target: Arc<Target>,
    pub accounts: Accounts,
    pub profile: Profile,
    pub components: Components,
    pub remotes: Arc<Remotes>,
    /// Plays at the same time.
    pub parallel: usize,
    /// Names of specifications whose plays go on one after the other.
    pub in_turn: Vec<String>,
    /// Keep the log of plays that pass, too.
    pub keep_logs: bool,
}

/// No play takes longer, however its steps add up.
const LONGEST_PLAY: Duration = Duration::from_secs(120);

/// Puts on all plays; `tell` hears of each outcome as it is known. The result is in the order of the requirements.
pub async fn perform_all(run: Arc<Run>, requirements: &[Requirement], mut tell: impl FnMut(&Outcome)) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; requirements.len()];
    let gate = Arc::new(Semaphore::new(run.parallel.max(1)));
    let turn = Arc::new(Mutex::new(()));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    // Those that take their time begin first, or the run would wait for them alone in the end.
    let mut order: Vec<(usize, &Requirement)> = requirements.iter().enumerate().collect();
    order.sort_by_key(|(_, requirement)| Reverse(requirement.named_time()));
    for (index, requirement) in order {
        if let Some(outcome) = run.profile.rules_out(requirement) {
            tell(&outcome);
            outcomes[index] = Some(outcome);
        } else if !requirement.alone {
            let (run, gate, sender, requirement) = (run.clone(), gate.clone(), sender.clone(), requirement.clone());
            let turn = run.in_turn.iter().any(|name| requirement.spec.is_called(name)).then(|| turn.clone());
            tokio::spawn(async move {
                let _turn = match &turn {
                    Some(turn) => Some(turn.lock().await),
                    None => None,
                };
                let permit = gate.acquire().await;
                let outcome = perform(&run, &requirement).await;
                drop(permit);
                let _ = sender.send((index, outcome));
            });
        }
    }
    drop(sender);
    while let Some((index, outcome)) = receiver.recv().await {
        tell(&outcome);
        outcomes[index] = Some(outcome);
    }
    for (index, requirement) in requirements.iter().enumerate() {
        if outcomes[index].is_none() {
            let outcome = perform(&run, requirement).await;
            tell(&outcome);
            outcomes[index] = Some(outcome);
        }
    }
    outcomes.into_iter().flatten().collect()
}

/// Puts on one play.
pub async fn perform(run: &Run, requirement: &Requirement) -> Outcome {
    let began = Instant::now();
    let log = Log::default();
    let playing = async {
        let mut performance = Performance::new(run, requirement, log.clone());
        let verdict = performance.play().await;
        performance.clean_up().await;
        verdict
    };
    let verdict = tokio::time::timeout(LONGEST_PLAY, playing).await.unwrap_or_else(|_| {
        let why = "the play took more than two minutes".to_owned();
        Err(Box::new((Status::Blocked, Detail { why, ..Detail::default() })))
    });
    let (status, detail) = match verdict {
        Ok(()) => (Status::Pass, None),
        Err(failed) => (failed.0, Some(failed.1)),
    };
    let mut outcome = Outcome::new(requirement, status, detail);
    outcome.milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if run.keep_logs || status.is_bad() {
        outcome.log = log.entries();
    }
    outcome
}
