//! XEP-0045 section 7.2, example by example: entering a room.

use crate::stage::{self, CRONE1, HAG, ROOM, Stage, USER, WISER};

fn refused(stage: &mut Stage, who: &str) -> String {
    let got = stage.gets_one(who);
    assert_eq!((got.kind(), got.0.id.as_deref()), ("error", Some("enter")));
    assert!(got.child("x", stage::MUC).is_some_and(|x| x.nodes().is_empty()), "clients look for it");
    assert_eq!(got.child("error", "jabber:client").unwrap().attr("by"), Some(ROOM));
    stage.nobody_gets_anything();
    got.condition()
}

#[test]
fn example_18_to_22_who_enters_sees_all_and_is_seen_by_all() {
    let mut stage = Stage::new();
    stage.makes(CRONE1, WISER, "admin");
    stage.enters(WISER, "secondwitch");
    stage.forget();
    stage.enters(HAG, "thirdwitch");

    let hag = stage.gets(HAG);
    let seen: Vec<_> = hag.iter().map(|one| (one.0.kind.name(), one.nick())).collect();
    let expected =
        [("presence", "firstwitch"), ("presence", "secondwitch"), ("presence", "thirdwitch"), ("message", "")];
    assert_eq!(seen, expected.map(|(kind, nick)| (kind, nick.to_owned())));
    assert_eq!(hag[0].standing(), "owner/moderator");
    assert_eq!(hag[1].standing(), "admin/moderator");
    assert_eq!(hag[2].standing(), "none/participant hag66@example.org/pda");
    assert_eq!((hag[0].codes(), hag[2].codes()), (vec![], vec![110]));

    for other in [CRONE1, WISER] {
        let got = stage.gets_one(other);
        assert_eq!((got.nick(), got.codes()), ("thirdwitch".to_owned(), vec![]));
        assert_eq!(got.standing(), "none/participant hag66@example.org/pda", "moderators see real addresses");
    }
}

#[test]
fn example_19_a_nickname_is_needed() {
    let mut stage = Stage::new();
    stage.sends(HAG, "<presence id='enter'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    assert_eq!(refused(&mut stage, HAG), "jid-malformed");
}

#[test]
fn example_23_and_24_a_non_anonymous_room_shows_addresses_and_warns() {
    let mut stage = Stage::new();
    stage.sets("whois", "anyone");
    stage.enters(WISER, "secondwitch");
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets_one(WISER).standing(), "none/participant hag66@example.org/pda");
    let hag = stage.gets(HAG);
    assert_eq!(hag[0].standing(), "owner/moderator crone1@example.org/desktop");
    assert_eq!(hag[2].codes(), [100, 110]);
}

#[test]
fn section_7_2_4_a_semi_anonymous_room_shows_addresses_to_moderators_only() {
    let mut stage = Stage::new();
    stage.enters(WISER, "secondwitch");
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets_one(WISER).standing(), "none/participant");
    assert_eq!(stage.gets_one(CRONE1).standing(), "none/participant hag66@example.org/pda");
}

#[test]
fn example_25_and_26_a_password() {
    let mut stage = Stage::new();
    stage.configures(
        CRONE1,
        &[("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "cauldronburn")],
    );
    stage.forget();
    for wrong in ["", "<password/>", "<password>Cauldronburn</password>"] {
        stage.enters_with(HAG, "thirdwitch", wrong);
        assert_eq!(refused(&mut stage, HAG), "not-authorized");
    }
    stage.enters_with(HAG, "thirdwitch", "<password>cauldronburn</password>");
    assert!(!stage.gets_one(CRONE1).xml().contains("cauldron"));
}

#[test]
fn example_27_a_members_only_room() {
    let mut stage = Stage::new();
    stage.sets("membersonly", "1");
    stage.enters(HAG, "thirdwitch");
    assert_eq!(refused(&mut stage, HAG), "registration-required");
    stage.makes(CRONE1, HAG, "member");
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets_one(CRONE1).standing(), "member/participant hag66@example.org/pda");
}

#[test]
fn example_28_the_banned() {
    let mut stage = Stage::new();
    stage.makes(CRONE1, HAG, "outcast");
    stage.enters(HAG, "thirdwitch");
    assert_eq!(refused(&mut stage, HAG), "forbidden");
    stage.makes(CRONE1, "example.net", "outcast");
    stage.enters("anyone@example.net/x", "thirdwitch");
    assert_eq!(refused(&mut stage, "anyone@example.net/x"), "forbidden");
}

#[test]
fn example_29_a_nickname_in_use() {
    let mut stage = Stage::coven();
    stage.enters("other@example.org/x", "thirdwitch");
    assert_eq!(refused(&mut stage, "other@example.org/x"), "conflict");
}

#[test]
fn section_7_2_8_sessions_of_a_user_share_a_nickname() {
    let mut stage = Stage::coven();
    let phone = "hag66@example.org/phone";
    stage.enters(phone, "thirdwitch");
    assert_eq!(stage.gets(phone).iter().filter(|got| got.0.kind.name() == "presence").count(), 3);
    assert_eq!(stage.gets_one(CRONE1).standing(), "none/participant hag66@example.org/phone");
    stage.forget();
    stage.says(CRONE1, "hail");
    assert_eq!((stage.gets_one(phone).body(), stage.gets_one(HAG).body()), ("hail".to_owned(), "hail".to_owned()));
    stage.forget();
    stage.leaves(phone);
    assert_eq!(stage.gets_one(phone).codes(), [110]);
    let shown = stage.gets_one(CRONE1);
    assert_eq!((shown.kind(), shown.standing().as_str()), ("", "none/participant hag66@example.org/pda"));
    stage.forget();
    stage.leaves(HAG);
    assert_eq!(stage.gets_one(CRONE1).kind(), "unavailable");
}

#[test]
fn example_30_a_full_room() {
    let mut stage = Stage::new();
    stage.sets("maxusers", "1");
    stage.enters(HAG, "thirdwitch");
    assert_eq!(refused(&mut stage, HAG), "service-unavailable");
    stage.makes(CRONE1, WISER, "admin");
    stage.enters(WISER, "secondwitch");
    assert_eq!(stage.gets_one(CRONE1).nick(), "secondwitch");
}

#[test]
fn example_31_a_locked_room() {
    let mut stage = Stage::empty();
    stage.enters(CRONE1, "firstwitch");
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    assert_eq!(refused(&mut stage, HAG), "item-not-found");
}

#[test]
fn example_32_a_logged_room_warns() {
    let mut stage = Stage::new();
    stage.sets("enablelogging", "1");
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets(HAG)[1].codes(), [110, 170]);
}

#[test]
fn example_33_the_history_comes_in_order_and_stamped_between_presence_and_subject() {
    let mut stage = Stage::coven();
    stage.says(CRONE1, "first");
    stage.wait(60);
    stage.says(HAG, "second");
    stage.leaves(HAG);
    stage.forget();
    stage.enters(HAG, "newwitch");
    let got = stage.gets(HAG);
    let messages: Vec<_> = got.iter().filter(|one| one.0.kind.name() == "message").collect();
    assert!(got[..got.len() - messages.len()].iter().all(|one| one.0.kind.name() == "presence"));
    let told: Vec<_> = messages.iter().map(|one| (one.nick(), one.body())).collect();
    let pair = |nick: &str, body: &str| (nick.to_owned(), body.to_owned());
    assert_eq!(told, [pair("firstwitch", "first"), pair("thirdwitch", "second"), pair("", "")]);
    let delay = messages[1].child("delay", "urn:xmpp:delay").unwrap();
    assert_eq!((delay.attr("from"), delay.attr("stamp")), (Some(ROOM), Some("2026-01-01T00:01:00.000Z")));
    assert_eq!(messages[1].occupant_id(), got.iter().find(|one| one.nick() == "newwitch").unwrap().occupant_id());
    assert_ne!(messages[1].stanza_id(), messages[0].stanza_id());
}

#[test]
fn example_62_what_an_owner_brings_from_another_chat_keeps_the_time_at_which_it_was_said() {
    for archive in ["1", "0"] {
        let mut stage = Stage::coven();
        stage.sets("mam", archive);
        let stamp = "2004-09-29T01:54:37Z";
        let brought = |by: &str, words: &str| {
            let delay = format!("<delay xmlns='urn:xmpp:delay' from='{by}' stamp='{stamp}'/>");
            format!("<message type='groupchat' id='h'><thread>e0ffe42b</thread><body>{words}</body>{delay}</message>")
        };
        stage.sends(CRONE1, &brought(CRONE1, "Thrice the brinded cat hath mew'd."));
        stage.sends(HAG, &brought(HAG, "Long ago"));
        stage.leaves(HAG);
        stage.forget();
        stage.enters(HAG, "thirdwitch");
        let got = stage.gets(HAG);
        let stamped_by = |words: &str| {
            let message = got.iter().find(|one| one.body() == words).unwrap();
            let delays = message.0.children().filter(|child| child.is("delay", "urn:xmpp:delay"));
            let from = |delay: wire::xml::Element| delay.attr("from").unwrap_or_default().to_owned();
            delays.filter_map(|child| child.element()).map(from).collect::<Vec<_>>()
        };
        assert_eq!(stamped_by("Thrice the brinded cat hath mew'd."), [CRONE1]);
        assert_eq!(stamped_by("Long ago"), [HAG, ROOM], "only owners are believed");
    }
}

#[test]
fn example_35_to_39_the_history_is_limited() {
    let mut stage = Stage::new();
    for n in 1..=5 {
        stage.says(CRONE1, &format!("m{n}"));
        stage.wait(60);
    }
    let mut told = |wish: &str| {
        stage.forget();
        stage.enters_with(HAG, "thirdwitch", wish);
        let bodies: Vec<_> = stage.gets(HAG).iter().map(|got| got.body()).filter(|body| !body.is_empty()).collect();
        stage.leaves(HAG);
        bodies
    };
    assert_eq!(told("<history maxchars='0'/>"), Vec::<String>::new());
    assert_eq!(told("<history maxstanzas='2'/>"), ["m4", "m5"]);
    assert_eq!(told("<history seconds='180'/>"), ["m3", "m4", "m5"]);
    assert_eq!(told("<history since='1970-01-01T00:00:00Z'/>").len(), 5);
    assert_eq!(told("<history since='2026-01-01T00:03:30Z'/>"), ["m5"]);
    assert_eq!(told("<history since='2026-01-01T00:03:00Z' maxstanzas='1'/>"), ["m5"]);
    assert_eq!(told(""), ["m1", "m2", "m3", "m4", "m5"]);
}

#[test]
fn a_room_without_archive_has_a_history_while_somebody_is_there_and_leaves_nothing_on_the_disk() {
    let mut stage = Stage::new();
    stage.sets("mam", "0");
    stage.says(CRONE1, "psst");
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    assert!(stage.gets(HAG).iter().any(|got| got.body() == "psst"));
    let log = xeps::store::LogKey::new(ROOM, "archive");
    use xeps::store::Store;
    assert_eq!(xeps::testing::now_or_never(stage.hosted.store.summary(log)).unwrap().entries, 0);
}

#[test]
fn example_40_and_41_the_subject_comes_last() {
    let mut stage = Stage::coven();
    stage.sends(CRONE1, "<message type='groupchat'><subject>Fire Burn and Cauldron Bubble!</subject></message>");
    stage.forget();
    stage.enters("new@example.org/x", "fourthwitch");
    let got = stage.gets("new@example.org/x").pop().unwrap();
    assert_eq!((got.nick().as_str(), got.kind()), ("firstwitch", "groupchat"));
    assert_eq!(got.child("subject", "jabber:client").unwrap().text(), "Fire Burn and Cauldron Bubble!");
    assert_eq!(got.child("delay", "urn:xmpp:delay").unwrap().attr("from"), Some(ROOM));
    stage.sends(CRONE1, "<message type='groupchat'><subject/></message>");
    stage.forget();
    stage.enters("next@example.org/x", "fifthwitch");
    let got = stage.gets("next@example.org/x").pop().unwrap();
    assert_eq!(got.child("subject", "jabber:client").unwrap().text(), "");
}

#[test]
fn example_42_and_43_presence_without_an_x_is_no_way_in() {
    let mut stage = Stage::new();
    stage.sends(HAG, &format!("<presence to='{ROOM}/thirdwitch' id='ng91xs69'/>"));
    let got = stage.gets_one(HAG);
    assert_eq!((got.kind(), got.codes(), got.standing().as_str()), ("unavailable", vec![110, 307, 333], "none/none"));
    stage.sends(HAG, "<presence to='nowhere@muc.example.org/thirdwitch'/>");
    assert_eq!(stage.gets(HAG)[0].kind(), "unavailable");
    stage.nobody_gets_anything();
}

#[test]
fn section_17_3_who_enters_again_gets_everything_again_and_the_others_hear_of_changes_only() {
    let mut stage = Stage::coven();
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets(HAG).len(), 4);
    stage.nobody_gets_anything();
    stage.sends(
        HAG,
        &format!("<presence to='{ROOM}/thirdwitch'><show>away</show><x xmlns='{}'/></presence>", stage::MUC),
    );
    assert!(stage.gets_one(CRONE1).xml().contains("<show>away</show>"));
}

#[test]
fn section_17_3_what_only_the_room_may_say_is_not_passed_on() {
    let mut stage = Stage::coven();
    let forged = format!("<x xmlns='{USER}'><item role='moderator' affiliation='owner'/><status code='307'/></x>");
    let id = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>";
    stage.sends(
        HAG,
        &format!(
            "<presence to='{ROOM}/thirdwitch'>{forged}{id}<c xmlns='http://jabber.org/protocol/caps'/></presence>"
        ),
    );
    let got = stage.gets_one(CRONE1);
    assert_eq!((got.codes(), got.standing().as_str()), (vec![], "none/participant hag66@example.org/pda"));
    assert!(got.xml().contains("caps") && !got.xml().contains("forged"));
}

#[test]
fn section_17_3_other_types_of_presence_are_neither_entry_nor_exit() {
    let mut stage = Stage::coven();
    for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"] {
        stage.sends("new@example.org/x", &format!("<presence to='{ROOM}/new' type='{kind}'/>"));
        stage.sends(HAG, &format!("<presence to='{ROOM}' type='{kind}'/>"));
    }
    stage.nobody_gets_anything();
    stage.sends(HAG, &format!("<presence to='{ROOM}/firstwitch' type='probe'/>"));
    assert_eq!(stage.gets_one(HAG).nick(), "firstwitch");
    stage.says(HAG, "still here");
    assert_eq!(stage.gets_one(CRONE1).body(), "still here");
}
