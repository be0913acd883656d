//! Who may take up what, and for how long.

use super::*;
use crate::s2s::queue::Bounds;
use crate::s2s::remotes::{Limits, Remotes};
use wire::jid::{BareJid, Jid};
use wire::stanza::MessageType;
use wire::stream::management::Sent;

fn pair(remote: &str) -> Pair {
    Pair { local: BareJid::parse("a.example").unwrap(), remote: BareJid::parse(remote).unwrap() }
}

fn pairs(remotes: &[&str]) -> HashSet<Pair> {
    remotes.iter().map(|remote| pair(remote)).collect()
}

fn broken(id: &str, received: u32) -> Broken {
    Broken {
        suspended: Suspended::restored(id.into(), received, 0),
        written: Position::default(),
        pairs: pairs(&["b.example"]),
        both_ways: false,
        carriers: Vec::new(),
    }
}

type Tried = Option<Result<(Broken, Ticket), Arc<Signals>>>;

fn try_take(resumables: &Arc<Resumables>, proved: &[&str], id: &str, now: Instant) -> Tried {
    resumables.try_take(&Claimant { proved: &pairs(proved), both_ways: false }, id, now)
}

fn received(taken: Tried) -> Option<u32> {
    taken.and_then(Result::ok).map(|(broken, _)| broken.suspended.received())
}

fn remotes() -> Arc<Remotes> {
    let line = Bounds { stanzas: 10, bytes: usize::MAX, patience: Duration::from_secs(60) };
    Remotes::new(Limits { line, bytes: usize::MAX, lines: 10 }).0
}

fn message(id: &str) -> Stanza {
    let [from, to]: [Jid; 2] = ["u@a.example".parse().unwrap(), "v@b.example/x".parse().unwrap()];
    Stanza::new(MessageType::Chat).with_id(id).with_from(from).with_to(to)
}

#[test]
fn a_broken_stream_is_taken_up_once_in_time_and_by_its_own_peer() {
    let (resumables, now) = (Arc::new(Resumables::default()), Instant::now());
    let begin = |id: &str| resumables.begin(pair("b.example"), id.into(), now).unwrap();
    assert!(begin("1").rest(broken("1", 7), now).is_none(), "there is nothing to watch");
    assert!(try_take(&resumables, &["c.example"], "1", now).is_none(), "somebody else");
    assert!(try_take(&resumables, &["b.example"], "2", now).is_none(), "another stream");
    let both_ways = Claimant { proved: &pairs(&["b.example"]), both_ways: true };
    assert!(resumables.try_take(&both_ways, "1", now).is_none(), "another kind of stream");
    assert_eq!(received(try_take(&resumables, &["b.example"], "1", now)), Some(7));
    assert!(try_take(&resumables, &["b.example"], "1", now).is_none(), "its ticket is gone");
    begin("1").rest(broken("1", 7), now);
    assert!(try_take(&resumables, &["b.example"], "1", now + PATIENCE).is_none(), "too late");
    assert!(resumables.streams.lock().is_empty(), "nothing is left");
}

#[test]
fn all_that_was_proved_must_be_proved_again() {
    let (resumables, now) = (Arc::new(Resumables::default()), Instant::now());
    let ticket = resumables.begin(pair("b.example"), "1".into(), now).unwrap();
    ticket.rest(Broken { pairs: pairs(&["b.example", "c.example"]), ..broken("1", 7) }, now);
    assert!(try_take(&resumables, &["b.example"], "1", now).is_none());
    assert_eq!(received(try_take(&resumables, &["c.example", "b.example", "d.example"], "1", now)), Some(7));
}

#[tokio::test]
async fn a_connection_that_still_has_the_stream_lets_go() {
    let resumables = Arc::new(Resumables::default());
    let ticket = resumables.begin(pair("b.example"), "1".into(), Instant::now()).unwrap();
    let holder = tokio::spawn(async move {
        left(Some(&ticket)).await;
        ticket.rest(broken("1", 3), Instant::now());
    });
    let proved = pairs(&["b.example"]);
    let taken = resumables.take(&Claimant { proved: &proved, both_ways: false }, "1").await;
    assert_eq!(taken.ok().unwrap().0.suspended.received(), 3);
    holder.await.unwrap();
}

#[test]
fn a_pair_has_so_many_and_the_oldest_broken_one_makes_room() {
    let (resumables, now) = (Arc::new(Resumables::default()), Instant::now());
    let begin = |id: usize| resumables.begin(pair("b.example"), id.to_string().into(), now);
    begin(0).unwrap().rest(broken("0", 0), now);
    begin(1).unwrap().rest(broken("1", 0), now);
    let live: Vec<_> = (2..=PER_PAIR).map(|id| begin(id).unwrap()).collect();
    assert!(try_take(&resumables, &["b.example"], "0", now).is_none());
    let again = begin(99).unwrap();
    assert!(try_take(&resumables, &["b.example"], "1", now).is_none());
    assert!(begin(100).is_none(), "all of them are alive");
    drop((live, again));
    assert!(resumables.streams.lock().is_empty());
}

/// A broken stream that goes both ways, with a line and two stanzas that were not acknowledged.
fn both_ways(remotes: &Arc<Remotes>, id: &str) -> Broken {
    let carrier = remotes.carry(pair("b.example"), Arc::default()).unwrap();
    let mut left = Broken { both_ways: true, carriers: vec![carrier], ..broken(id, 0) };
    ["1", "2"].into_iter().for_each(|id| left.suspended.add(&Sent { stanza: message(id), receipt: None }));
    remotes.send(pair("b.example"), message("3"), Instant::now()).unwrap();
    left
}

#[test]
fn a_peer_that_begins_anew_gets_what_it_may_not_have_first() {
    let (resumables, remotes, now) = (Arc::new(Resumables::default()), remotes(), Instant::now());
    let ticket = resumables.begin(pair("b.example"), "1".into(), now).unwrap();
    assert!(ticket.rest(both_ways(&remotes, "1"), now).is_some(), "it is to be watched");
    let other = Claimant { proved: &pairs(&["c.example"]), both_ways: true };
    assert!(resumables.inherit(&other).is_empty());
    let peer = Claimant { proved: &pairs(&["b.example"]), both_ways: true };
    let lines: Vec<Carrier> = resumables.inherit(&peer).into_iter().flat_map(|broken| broken.into_lines(now)).collect();
    let [line] = &lines[..] else { panic!("{}", lines.len()) };
    let ids: Vec<_> = line.take(usize::MAX).into_iter().map(|stanza| stanza.id.unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert!(resumables.streams.lock().is_empty());
}

#[test]
fn a_peer_that_stays_away_holds_up_nothing_and_may_come_all_the_same() {
    let (resumables, remotes, now) = (Arc::new(Resumables::default()), remotes(), Instant::now());
    let ticket = resumables.begin(pair("b.example"), "1".into(), now).unwrap();
    let resting = ticket.rest(both_ways(&remotes, "1"), now).unwrap();
    let (unknown, lines) = resting.release().unwrap();
    assert_eq!((unknown.len(), lines.len()), (2, 1));
    let peer = Claimant { proved: &pairs(&["b.example"]), both_ways: true };
    assert!(resumables.inherit(&peer).is_empty(), "there is nothing left to inherit");
    let (mut broken, ticket) = resumables.try_take(&peer, "1", now).unwrap().ok().unwrap();
    assert!(broken.suspended.acknowledge(1).is_ok() && broken.carriers.is_empty());
    // Another time is not the watcher's any more.
    let again = ticket.rest(broken, now + Duration::from_secs(1));
    assert!(again.is_none() && resting.release().is_none());
}

#[tokio::test]
async fn what_is_over_is_forgotten_by_the_store_and_the_rest_comes_back() {
    let (store, now) = (xeps::store::memory::Memory::at(0), Instant::now());
    let before = Arc::new(Resumables::default());
    let mut batch = Batch::new();
    for id in ["1", "2", "3"] {
        record::put_stream(&mut batch, id, &pairs(&["b.example"]), false);
        record::put_count(&mut batch, id, 7);
    }
    store.commit(batch).await.unwrap();
    drop(before.begin(pair("b.example"), "1".into(), now));
    before.begin(pair("b.example"), "2".into(), now).unwrap().rest(broken("2", 7), now);
    before.clean(&store, now).await.unwrap();
    let after = Arc::new(Resumables::default());
    after.restore(&store).await.unwrap();
    let known = |id: &str| received(try_take(&after, &["b.example"], id, now));
    assert_eq!([known("1"), known("2"), known("3")], [None, Some(7), Some(7)]);
    // They were not kept, and their tickets are gone.
    after.clean(&store, now).await.unwrap();
    assert!(record::all(&store).await.unwrap().is_empty());
}
