//! What becomes of rooms when the server stops, is killed and starts again, and what members hear who are not there.

use crate::stage::{self, CRONE1, HAG, ROOM, Stage, USER, WISER};
use xeps::store::Store;
use xeps::testing::now_or_never;

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

#[test]
fn example_207_occupants_are_told_that_the_service_stops() {
    for lasting in ["0", "1"] {
        let mut stage = Stage::coven();
        stage.sets("persistentroom", lasting);
        stage.stops();
        for (who, nick) in [(CRONE1, "firstwitch"), (WISER, "secondwitch"), (HAG, "thirdwitch")] {
            let got = stage.gets_one(who);
            assert_eq!((got.nick().as_str(), got.kind(), got.codes()), (nick, "unavailable", vec![110, 332]));
            assert_eq!(got.standing(), "none/none");
        }
        stage.nobody_gets_anything();
    }
}

/// XEP-0410 section 3.
fn pings_itself(stage: &mut Stage, who: &str, nick: &str) -> stage::Answer {
    stage.asks_at(who, &format!("{ROOM}/{nick}"), "get", "<ping xmlns='urn:xmpp:ping'/>")
}

#[test]
fn after_a_restart_a_self_ping_says_to_come_back_and_everything_is_as_it_was() {
    for kill in [false, true] {
        let mut stage = Stage::coven();
        stage.configures(CRONE1, &[("muc#roomconfig_roomname", "Cave"), ("muc#roomconfig_persistentroom", "1")]);
        stage.sends(CRONE1, "<message type='groupchat'><subject>Fire Burn</subject></message>");
        stage.says(HAG, "Harpier cries");
        pings_itself(&mut stage, HAG, "thirdwitch").is_result();
        match kill {
            true => stage.restarts(),
            false => stage.stops(),
        }
        assert_eq!(pings_itself(&mut stage, HAG, "thirdwitch").refused(), "not-acceptable");
        stage.forget();
        stage.enters(WISER, "secondwitch");
        let got = stage.gets(WISER);
        assert_eq!(got[0].standing(), "admin/moderator wiccarocks@example.org/laptop");
        assert!(got.iter().any(|one| one.body() == "Harpier cries"));
        assert_eq!(got.last().unwrap().child("subject", wire::ns::CLIENT).unwrap().text(), "Fire Burn");
        let query = stage.asks(HAG, "get", INFO).payload();
        assert_eq!(query.children().next().unwrap().attr("name"), Some("Cave"));
        pings_itself(&mut stage, WISER, "secondwitch").is_result();
    }
}

#[test]
fn a_temporary_room_waits_a_while_for_those_who_were_in_it() {
    let mut stage = Stage::coven();
    stage.restarts();
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets(HAG)[0].standing(), "none/participant hag66@example.org/pda", "it is not the hag's room now");
    stage.leaves(HAG);
    assert_eq!(stage.asks(HAG, "get", INFO).refused(), "item-not-found", "with its last occupant it has ended");
}

#[test]
fn a_temporary_room_to_which_nobody_comes_back_is_gone() {
    let rooms =
        |stage: &Stage| now_or_never(stage.hosted.store.list("muc.example.org", "room", None, 9)).unwrap().len();
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let mut stage = Stage::coven();
    stage.stops();
    stage.forget();
    stage.wait(601);
    assert_eq!(stage.asks_at(HAG, "muc.example.org", "get", items).payload().children().count(), 0);
    assert_eq!(rooms(&stage), 0, "whoever asks for the rooms finds none");

    let mut stage = Stage::coven();
    stage.restarts();
    stage.wait(601);
    assert_eq!((rooms(&stage), stage.asks(HAG, "get", INFO).refused()), (1, "item-not-found".to_owned()));
    assert_eq!(rooms(&stage), 0, "and so does who asks for the room");

    let mut stage = Stage::coven();
    stage.wait(601);
    assert_eq!(stage.asks_at(HAG, "muc.example.org", "get", items).payload().children().count(), 1, "it is awake");
}

#[test]
fn a_lasting_room_that_is_made_temporary_with_nobody_in_it_is_over() {
    let mut stage = Stage::new();
    stage.sets("persistentroom", "1");
    stage.leaves(CRONE1);
    stage.sets("persistentroom", "0");
    assert_eq!(stage.asks(HAG, "get", INFO).refused(), "item-not-found");
}

fn group() -> Stage {
    let mut stage = Stage::coven();
    stage.configures(CRONE1, &[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_persistentroom", "1")]);
    stage.makes(CRONE1, "absent@example.org", "member");
    stage.makes(CRONE1, "elsewhere@example.net", "member");
    stage.forget();
    stage
}

#[test]
fn members_with_an_account_here_who_are_not_in_the_room_hear_what_is_said() {
    let mut stage = group();
    stage.says(CRONE1, "Double, double");
    assert_eq!(stage.told(), ["absent"]);
    stage.sends(
        CRONE1,
        "<message type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
    );
    stage.sends(CRONE1, "<message type='groupchat'><subject>Toil</subject></message>");
    assert_eq!(stage.told(), Vec::<String>::new());
    stage.leaves(WISER);
    stage.says(CRONE1, "toil and trouble");
    assert_eq!(stage.told(), ["absent", "wiccarocks"]);
    stage.enters("absent@example.org/phone", "absent");
    stage.makes(CRONE1, WISER, "none");
    stage.says(CRONE1, "Fire burn");
    assert_eq!(stage.told(), Vec::<String>::new());
    stage.leaves("absent@example.org/phone");
    stage.restarts();
    stage.enters(CRONE1, "firstwitch");
    stage.says(CRONE1, "and cauldron bubble");
    assert_eq!(stage.told(), ["absent"]);
}

#[test]
fn who_is_mentioned_is_told_so_and_temporary_open_rooms_tell_nobody() {
    let mut stage = group();
    let id = {
        stage.enters("absent@example.org/phone", "absent");
        let got = stage.gets(CRONE1);
        stage.leaves("absent@example.org/phone");
        got[0].occupant_id()
    };
    let mention = |attrs: &str| format!("<mention xmlns='urn:xmpp:mentions:0' {attrs}/>");
    let said = |mention: String| format!("<message type='groupchat'><body>Come</body>{mention}</message>");
    stage.sends(CRONE1, &said(mention(&format!("occupantid='{id}'"))));
    assert_eq!(stage.told(), ["absent*"]);
    // Where many are absent only who is named hears of it.
    for n in 0..200 {
        stage.makes(CRONE1, &format!("u{n}@example.org"), "member");
    }
    stage.says(CRONE1, "Nobody in particular");
    assert_eq!(stage.told(), Vec::<String>::new());
    stage
        .sends(CRONE1, &said(format!("{}{}", mention(&format!("occupantid='{id}'")), mention("jid='u7@example.org'"))));
    assert_eq!(stage.told(), ["absent*", "u7*"]);

    let mut stage = Stage::coven();
    stage.makes(CRONE1, "absent@example.org", "member");
    stage.says(CRONE1, "Double, double");
    assert_eq!(stage.told(), Vec::<String>::new());
    let x = format!("<x xmlns='{USER}'/>");
    stage.sends(CRONE1, &format!("<message type='groupchat'><body>a</body>{x}</message>"));
}
