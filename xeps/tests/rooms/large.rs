//! Large rooms and many rooms: what is shared, what is kept, what is looked at. The tests that measure are ignored in a usual run:
//! `cargo test --release -p xeps --test rooms large -- --ignored --nocapture`.

use crate::stage::{self, CRONE1, ROOM, Stage, config};
use std::sync::Arc;
use std::time::{Duration, Instant};
use xeps::muc::{Config, Rate};

fn roomy() -> Config {
    Config {
        max_occupants: 20_000,
        max_rooms: 1_000_000,
        creations: Rate { count: u32::MAX, window: Duration::from_secs(1) },
        ..config()
    }
}

/// A lasting room with so many in it besides its owner.
fn crowd(size: usize) -> Stage {
    let mut stage = Stage::with(roomy());
    stage.enters(CRONE1, "firstwitch");
    stage.configures(CRONE1, &[("muc#roomconfig_persistentroom", "1")]);
    for n in 0..size {
        stage.enters(&guest(n), &format!("guest{n}"));
        stage.forget();
    }
    stage
}

fn guest(n: usize) -> String {
    format!("guest{n}@example.org/x")
}

#[test]
fn a_message_is_made_once_and_shared_by_all_who_get_it() {
    let mut stage = crowd(100);
    stage.says(CRONE1, "Double, double");
    let first = stage.gets_one(CRONE1).0;
    for n in 0..100 {
        let got = stage.gets_one(&guest(n)).0;
        assert!(Arc::ptr_eq(got.payload(), first.payload()), "guest{n} has a copy of its own");
    }
}

#[test]
fn who_enters_sends_and_is_sent_one_presence_for_each_occupant() {
    let mut stage = crowd(50);
    stage.enters("late@example.org/x", "late");
    let own = stage.gets("late@example.org/x");
    assert_eq!(own.iter().filter(|got| got.0.kind.name() == "presence").count(), 52);
    for n in 0..50 {
        stage.gets_one(&guest(n));
    }
    // The same presence again for the next one: it is made once for all who enter.
    stage.enters("later@example.org/x", "later");
    let next = stage.gets("later@example.org/x");
    let of = |all: &[stage::Got], nick: &str| all.iter().find(|got| got.nick() == nick).unwrap().0.payload().clone();
    assert!(Arc::ptr_eq(&of(&own, "guest7"), &of(&next, "guest7")));
}

#[test]
fn where_presence_is_reduced_newcomers_cost_the_moderators_only() {
    let mut stage = crowd(50);
    stage.configures(
        CRONE1,
        &[("muc#roomconfig_presencebroadcast", "moderator"), ("muc#roomconfig_moderatedroom", "0")],
    );
    stage.forget();
    stage.enters("late@example.org/x", "late");
    let own = stage.gets("late@example.org/x");
    let presences = own.iter().filter(|got| got.0.kind.name() == "presence").count();
    assert_eq!(presences, 2, "the moderator and oneself");
    stage.gets_one(CRONE1);
    stage.nobody_gets_anything();
}

#[test]
fn a_room_that_everybody_has_left_is_not_in_memory() {
    let mut stage = crowd(3);
    assert_eq!(stage.hosted.awake(), 1);
    stage.leaves(CRONE1);
    (0..3).for_each(|n| stage.leaves(&guest(n)));
    assert_eq!(stage.hosted.awake(), 0);
    stage.asks(CRONE1, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").is_result();
    assert_eq!(stage.hosted.awake(), 0, "it falls asleep when it has answered");
}

fn each(what: &str, times: usize, mut act: impl FnMut(usize)) {
    let start = Instant::now();
    (0..times).for_each(&mut act);
    println!("{what}: {:.1} us", start.elapsed().as_secs_f64() * 1e6 / times as f64);
}

/// What the process holds, in KiB; nothing where there is no /proc.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn held(what: &str, before: u64, by: usize) {
    let bytes = resident().saturating_sub(before) * 1024;
    println!("{what}: {:.2} KiB", bytes as f64 / 1024.0 / by as f64);
}

#[test]
#[ignore = "it measures"]
fn measure_a_room_of_ten_thousand() {
    for size in [100, 1000, 10_000] {
        let before = resident();
        let mut stage = crowd(size);
        println!("-- {size} occupants");
        held("memory of an occupant", before, size);
        each("a message to all", 10, |_| {
            stage.says(CRONE1, "Double, double");
            stage.forget();
        });
        each("somebody enters", 10, |n| {
            stage.enters(&format!("late{n}@example.org/x"), &format!("late{n}"));
            stage.forget();
        });
        each("a private message", 1000, |n| {
            let to = n % size;
            let xml = format!("<message to='{ROOM}/guest{to}' type='chat'><body>psst</body></message>");
            stage.sends(CRONE1, &xml);
            stage.forget();
        });
        each("a nickname that is taken", 1000, |n| {
            stage.enters("new@example.org/x", &format!("guest{}", n % size));
            stage.forget();
        });
        each("a request from one occupant to another, and its answer", 1000, |n| {
            let to = n % size;
            let ping = "<ping xmlns='urn:xmpp:ping'/>";
            stage.sends(CRONE1, &format!("<iq type='get' id='p' to='{ROOM}/guest{to}'>{ping}</iq>"));
            let asked = stage.gets_one(&guest(to)).0.id.unwrap();
            stage.sends(&guest(to), &format!("<iq type='result' id='{asked}' to='{ROOM}/firstwitch'/>"));
            stage.gets_one(CRONE1);
        });
        stage.hosted.stops();
        each("waking the room, for a question", 10, |_| {
            stage.asks(CRONE1, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").is_result();
        });
    }
}

#[test]
#[ignore = "it measures"]
fn measure_a_hundred_thousand_rooms_asleep() {
    let mut stage = Stage::with(roomy());
    let before = resident();
    let form = "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_persistentroom'><value>1</value></field></x>";
    each("making a room, and leaving it", 100_000, |n| {
        let room = format!("room{n}@muc.example.org");
        stage.sends(CRONE1, &format!("<presence to='{room}/x'><x xmlns='{}'/></presence>", stage::MUC));
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>");
        stage.asks_at(CRONE1, &room, "set", &query).is_result();
        stage.sends(CRONE1, &format!("<presence to='{room}/x' type='unavailable'/>"));
        stage.forget();
    });
    assert_eq!(stage.hosted.awake(), 0);
    held("a room asleep, in the store that is in memory here", before, 100_000);
    let before = resident();
    each("waking a room, by entering it", 1000, |n| {
        let to = format!("room{n}@muc.example.org/x");
        stage.sends(CRONE1, &format!("<presence to='{to}'><x xmlns='{}'/></presence>", stage::MUC));
        stage.forget();
    });
    assert_eq!(stage.hosted.awake(), 1000);
    held("a room awake, with one occupant", before, 1000);
    each("a question to one of them", 1000, |n| {
        let room = format!("room{}@muc.example.org", n * 97);
        stage.asks_at(CRONE1, &room, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").is_result();
    });
    each("a page of the list", 100, |n| {
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>50</max><after>room{n}</after></set>");
        let ask = format!("<query xmlns='http://jabber.org/protocol/disco#items'>{set}</query>");
        stage.asks_at(CRONE1, "muc.example.org", "get", &ask).is_result();
    });
    let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    for key in ["address", "nusers"] {
        let key = field("key", &format!("{{urn:xmpp:channel-search:0:order}}{key}"));
        let form = format!("<x xmlns='jabber:x:data' type='submit'>{}{key}</x>", field("q", "room4711"));
        each("a search that looks at all of them", 3, |_| {
            let ask = format!("<search xmlns='urn:xmpp:channel-search:0:search'>{form}</search>");
            stage.asks_at(CRONE1, "muc.example.org", "get", &ask).is_result();
        });
    }
}
