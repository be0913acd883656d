//! What a room keeps of what was said (XEP-0313), for how long, and who may read it.

use crate::stage::{CRONE1, Got, HAG, ROOM, Stage, config};
use std::time::Duration;
use xeps::store::Store;
use xeps::testing::now_or_never;

/// All of an archive.
const ARCHIVE: &str = "<query xmlns='urn:xmpp:mam:2'/>";
/// Who is nothing in the room.
const NEW: &str = "new@example.org/x";

/// A lasting room of CRONE1's with these fields, at a service that forgets what was said after so many seconds.
fn forgetful(seconds: u64, fields: &[(&str, &str)]) -> Stage {
    let archive_expiry = Some(Duration::from_secs(seconds));
    let mut stage = Stage::with(xeps::muc::Config { archive_expiry, locking: false, ..config() });
    stage.enters(CRONE1, "firstwitch");
    stage.configures(CRONE1, &[&[("muc#roomconfig_persistentroom", "1")], fields].concat());
    stage
}

/// What somebody who enters hears that was said before.
fn history(stage: &mut Stage, who: &str) -> Vec<String> {
    stage.enters(who, "visitor");
    stage.gets(who).iter().map(Got::body).filter(|body| !body.is_empty()).collect()
}

/// How many messages are on the disk when the room has been awake after a restart.
fn kept(stage: &mut Stage) -> u64 {
    stage.restarts();
    stage.asks(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").is_result();
    let log = xeps::store::LogKey::new(ROOM, "archive");
    now_or_never(stage.hosted.store.summary(log)).unwrap().entries
}

#[test]
fn xep_0313_who_may_enter_may_read_the_archive() {
    let mut stage = Stage::coven();
    stage.says(HAG, "one");
    stage.says(CRONE1, "two");
    stage.sends(HAG, "<message type='groupchat'><subject>no</subject></message>");
    stage.forget();
    let ask = |set: &str| format!("<query xmlns='urn:xmpp:mam:2' queryid='q'>{set}</query>");
    let read = |stage: &mut Stage, who: &str, set: &str| {
        stage.asks(who, "set", &ask(set)).is_result();
        stage.gets(who).iter().map(|got| got.xml()).collect::<Vec<_>>()
    };
    let all = read(&mut stage, NEW, "");
    assert_eq!(all.len(), 2);
    assert!(
        all[0].contains("from='coven@muc.example.org/thirdwitch'")
            && !all[0].contains("hag66")
            && all[0].matches(" to='").count() == 1
    );
    let page = "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/></set>";
    assert!(read(&mut stage, HAG, page)[0].contains("two"));
    let with = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>
        <field var='with'><value>coven@muc.example.org/thirdwitch</value></field></x>";
    assert!(matches!(read(&mut stage, HAG, with).as_slice(), [only] if only.contains("one")));
    let words = |text: &str| {
        with.replace("'with'", "'{urn:xmpp:fulltext:0}fulltext'").replace("coven@muc.example.org/thirdwitch", text)
    };
    assert!(matches!(read(&mut stage, HAG, &words("TWO")).as_slice(), [only] if only.contains("firstwitch")));
    assert!(read(&mut stage, HAG, &words("three")).is_empty());
    assert!(stage.asks(HAG, "get", ARCHIVE).payload().child("x", "jabber:x:data").is_some());
    stage.asks(HAG, "get", "<metadata xmlns='urn:xmpp:mam:2'/>").is_result();
    stage.sets("membersonly", "1");
    assert_eq!(stage.asks(NEW, "set", &ask("")).refused(), "forbidden");
    assert_eq!(read(&mut stage, "wiccarocks@example.org/phone", "").len(), 2, "members need not be inside");
}

/// Whoever enters must not be flooded by what somebody has said before, whether it is kept in the archive or in memory.
#[test]
fn the_history_of_who_enters_is_bounded_in_bytes_too() {
    for archive in ["1", "0"] {
        let mut stage = Stage::coven();
        stage.sets("mam", archive);
        for number in 0..30 {
            stage.says(CRONE1, &format!("{number} {}", "x".repeat(if number < 25 { 200_000 } else { 10 })));
        }
        stage.forget();
        let said = history(&mut stage, NEW);
        let numbers: Vec<&str> = said.iter().map(|body| body.split(' ').next().unwrap()).collect();
        assert_eq!(numbers, ["23", "24", "25", "26", "27", "28", "29"], "archive: {archive}");
    }
}

#[test]
fn an_archive_forgets_what_has_expired() {
    let mut stage = forgetful(3600, &[]);
    stage.says(CRONE1, "old");
    stage.wait(3000);
    stage.says(CRONE1, "new");
    stage.wait(1000);
    assert_eq!(history(&mut stage, HAG), ["new"]);
    assert_eq!(kept(&mut stage), 1);
}

#[test]
fn an_owner_may_have_a_room_forget_sooner_than_its_service() {
    let mut stage = forgetful(30 * 86_400, &[("oriole#roomconfig_archivedays", "2")]);
    stage.says(CRONE1, "old");
    stage.wait(86_400);
    stage.says(CRONE1, "new");
    stage.wait(86_401);
    stage.forget();
    stage.asks(CRONE1, "set", ARCHIVE).is_result();
    let page: Vec<String> = stage.gets(CRONE1).iter().map(|got| got.xml()).collect();
    assert!(!page.iter().any(|xml| xml.contains("old")) && page.iter().any(|xml| xml.contains("new")), "{page:?}");
    assert_eq!(history(&mut stage, HAG), ["new"]);
    assert_eq!(kept(&mut stage), 1, "and from the disk it is gone");
}

#[test]
fn an_owner_says_who_may_read_what_was_said_before() {
    let mut stage = Stage::coven();
    stage.says(CRONE1, "Double, double");
    stage.makes(CRONE1, "hecate@example.org", "member");
    stage.forget();
    let hears = |stage: &mut Stage, who: &str| {
        let heard = history(stage, who) == ["Double, double"];
        stage.leaves(who);
        stage.forget();
        heard
    };
    for (readers, strangers, members) in [("anyone", true, true), ("members", false, true), ("admins", false, false)] {
        stage.configures(CRONE1, &[("oriole#roomconfig_archivereaders", readers)]);
        stage.forget();
        for (who, may) in [(NEW, strangers), ("hecate@example.org/broom", members), (CRONE1, true)] {
            let answer = stage.asks(who, "set", ARCHIVE);
            match may {
                true => answer.is_result(),
                false => assert_eq!(answer.refused(), "forbidden", "{who} {readers}"),
            }
            stage.forget();
        }
        assert_eq!(hears(&mut stage, NEW), strangers, "{readers}");
    }
}
