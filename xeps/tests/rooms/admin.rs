//! XEP-0045 sections 8 and 9, example by example: what moderators and admins do.

use crate::stage::{self, CRONE1, HAG, ROOM, Stage, USER, WISER};

const HECATE: &str = "hecate@example.org/broom";

/// Hecate is an unaffiliated moderator.
fn with_hecate() -> Stage {
    let mut stage = Stage::coven();
    stage.enters(HECATE, "hecate");
    stage.lets(CRONE1, "hecate", "moderator");
    stage.forget();
    stage
}

#[test]
fn example_84_to_88_the_subject() {
    let mut stage = Stage::coven();
    let subject =
        |text: &str, more: &str| format!("<message type='groupchat' id='s'><subject>{text}</subject>{more}</message>");
    stage.sends(WISER, &subject("Fire Burn", ""));
    for who in [CRONE1, HAG, WISER] {
        let got = stage.gets_one(who);
        assert_eq!(
            (got.nick().as_str(), got.child("subject", "jabber:client").unwrap().text()),
            ("secondwitch", "Fire Burn".to_owned())
        );
    }
    stage.sends(HAG, &subject("Mine", ""));
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden");
    stage.sends(HAG, &subject("Not a change", "<body>x</body>"));
    stage.forget();
    stage.enters(HECATE, "hecate");
    let mut got = stage.gets(HECATE);
    assert_eq!(got.pop().unwrap().child("subject", "jabber:client").unwrap().text(), "Fire Burn");
    stage.sets("changesubject", "1");
    stage.sends(HAG, &subject("Mine", ""));
    assert_eq!(stage.gets(CRONE1).len(), 1);
    stage.sends("new@example.org/x", &subject("Not in", ""));
    assert_eq!(stage.gets_one("new@example.org/x").condition(), "not-acceptable");
}

#[test]
fn the_subject_outlives_a_restart() {
    let mut stage = Stage::new();
    stage.sets("persistentroom", "1");
    stage.sends(CRONE1, "<message type='groupchat'><subject>Fire Burn</subject></message>");
    stage.restarts();
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    let got = stage.gets(HAG).pop().unwrap();
    assert_eq!(
        (got.nick().as_str(), got.child("subject", "jabber:client").unwrap().text()),
        ("firstwitch", "Fire Burn".to_owned())
    );
}

#[test]
fn example_89_to_92_a_kick() {
    let mut stage = Stage::coven();
    stage.admin(WISER, "<item nick='thirdwitch' role='none'><reason>Avaunt, you cullion!</reason></item>").is_result();
    let own = stage.gets_one(HAG);
    assert_eq!(
        (own.kind(), own.codes(), own.standing().as_str()),
        ("unavailable", vec![110, 307], "none/none hag66@example.org/pda")
    );
    assert_eq!(own.item().child("reason", USER).unwrap().text(), "Avaunt, you cullion!");
    let actor = own.item().child("actor", USER).unwrap().clone();
    assert_eq!((actor.attr("nick"), actor.attr("jid")), (Some("secondwitch"), None));
    assert_eq!(stage.gets_one(CRONE1).codes(), [307]);
    stage.says(HAG, "still");
    assert_eq!(stage.gets_one(HAG).condition(), "not-acceptable");
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets_one(CRONE1).kind(), "");
}

#[test]
fn example_93_nobody_kicks_somebody_higher() {
    let mut stage = with_hecate();
    for nick in ["firstwitch", "secondwitch"] {
        assert_eq!(stage.admin(HECATE, &format!("<item nick='{nick}' role='none'/>")).refused(), "not-allowed");
    }
    assert_eq!(stage.admin(WISER, "<item nick='firstwitch' role='none'/>").refused(), "not-allowed");
    assert_eq!(stage.admin(HAG, "<item nick='hecate' role='none'/>").refused(), "forbidden");
    assert_eq!(stage.admin(WISER, "<item nick='nobody' role='none'/>").refused(), "item-not-found");
    stage.nobody_gets_anything();
}

#[test]
fn example_94_to_101_voice_is_given_and_taken() {
    let mut stage = Stage::new();
    stage.sets("moderatedroom", "1");
    stage.enters(HAG, "thirdwitch");
    stage.forget();
    stage
        .admin(CRONE1, "<item nick='thirdwitch' role='participant'><reason>A worthy witch indeed!</reason></item>")
        .is_result();
    let got = stage.gets_one(HAG);
    assert_eq!(got.standing(), "none/participant hag66@example.org/pda");
    assert_eq!(got.item().child("reason", USER).unwrap().text(), "A worthy witch indeed!");
    stage.says(HAG, "Thrice");
    assert_eq!(stage.gets(CRONE1).len(), 2);
    stage.forget();
    stage.lets(CRONE1, "thirdwitch", "visitor");
    assert_eq!(stage.gets_one(HAG).standing(), "none/visitor hag66@example.org/pda");
    stage.says(HAG, "Thrice");
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden");
}

#[test]
fn example_102_and_107_voice_is_not_taken_from_admins_and_owners() {
    let mut stage = with_hecate();
    for who in [HECATE, WISER, CRONE1] {
        for nick in ["firstwitch", "secondwitch"] {
            assert_eq!(stage.admin(who, &format!("<item nick='{nick}' role='visitor'/>")).refused(), "not-allowed");
        }
    }
}

#[test]
fn example_103_to_106_the_voice_list() {
    let mut stage = with_hecate();
    assert_eq!(
        stage.lists(HECATE, "<item role='participant'/>").items(),
        ["none hag66@example.org/pda thirdwitch participant"]
    );
    assert_eq!(stage.lists(HAG, "<item role='participant'/>").refused(), "forbidden");
    stage.enters("a@example.org/x", "a");
    stage.enters("b@example.org/x", "b");
    stage.forget();
    stage.admin(HECATE, "<item nick='a' role='visitor'/><item nick='b' role='visitor'/>").is_result();
    let mut items = stage.lists(HECATE, "<item role='visitor'/>").items();
    items.sort();
    assert_eq!(items, ["none a@example.org/x a visitor", "none b@example.org/x b visitor"]);
    assert_eq!(stage.gets(HAG).len(), 2);
}

#[test]
fn section_17_4_items_that_make_no_sense_are_refused_and_change_nothing() {
    let mut stage = Stage::coven();
    for (items, condition) in [
        ("<item nick='thirdwitch' role='visitor' affiliation='member'/>", "bad-request"),
        ("<item nick='thirdwitch' role='king'/>", "bad-request"),
        ("<item jid='hag66@example.org' affiliation='king'/>", "bad-request"),
        ("<item affiliation='member'/>", "bad-request"),
        ("<item jid='@@' affiliation='member'/>", "jid-malformed"),
        ("<item nick='thirdwitch'/>", "bad-request"),
        ("", "bad-request"),
        ("<item nick='thirdwitch' role='visitor'/><item nick='nobody' role='visitor'/>", "item-not-found"),
    ] {
        assert_eq!(stage.admin(CRONE1, items).refused(), condition, "{items}");
    }
    stage.nobody_gets_anything();
}

#[test]
fn example_110_to_114_a_ban() {
    let mut stage = Stage::coven();
    stage.enters("hag66@example.org/other", "fourthwitch");
    stage.forget();
    stage
        .admin(WISER, "<item affiliation='outcast' jid='hag66@example.org/pda'><reason>Treason</reason></item>")
        .is_result();
    for who in [HAG, "hag66@example.org/other"] {
        let got = stage.gets(who);
        let own = got.iter().find(|one| one.codes().contains(&110)).unwrap();
        assert_eq!((own.kind(), own.codes()), ("unavailable", vec![110, 301]));
        assert!(own.standing().starts_with("outcast/none"));
        assert_eq!(own.item().child("reason", USER).unwrap().text(), "Treason");
    }
    assert_eq!(stage.gets(CRONE1).iter().map(|one| one.codes()).collect::<Vec<_>>(), [[301], [301]]);
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden");
    assert_eq!(stage.asks(HAG, "get", "<query xmlns='urn:xmpp:mam:2'/>").refused(), "forbidden");
}

#[test]
fn example_115_and_118_bans_that_cannot_be_and_nothing_of_the_request_is_done() {
    let mut stage = Stage::coven();
    let ban = |who: &str| format!("<item affiliation='outcast' jid='{who}'/>");
    assert_eq!(stage.admin(WISER, &ban("crone1@example.org")).refused(), "not-allowed");
    assert_eq!(stage.admin(WISER, &ban("wiccarocks@example.org")).refused(), "conflict");
    assert_eq!(stage.admin(CRONE1, &ban("crone1@example.org")).refused(), "conflict");
    assert_eq!(stage.admin(HAG, &ban("new@example.org")).refused(), "forbidden");
    assert_eq!(stage.admin(CRONE1, &(ban("hag66@example.org") + &ban("crone1@example.org"))).refused(), "conflict");
    stage.nobody_gets_anything();
}

#[test]
fn example_116_to_119_the_ban_list() {
    let mut stage = Stage::coven();
    stage.admin(WISER, "<item affiliation='outcast' jid='lear@example.net'><reason>Treason</reason></item><item affiliation='outcast' jid='example.com'/>").is_result();
    let list = stage.lists(WISER, "<item affiliation='outcast'/>");
    assert_eq!(list.items(), ["outcast example.com", "outcast lear@example.net"]);
    assert!(stage::Got(list.0).xml().contains("<reason>Treason</reason>"));
    assert_eq!(stage.lists(HAG, "<item affiliation='outcast'/>").refused(), "forbidden");
    stage.makes(WISER, "lear@example.net", "none");
    assert_eq!(stage.lists(WISER, "<item affiliation='outcast'/>").items(), ["outcast example.com"]);
}

#[test]
fn example_120_to_128_membership_is_given_and_taken() {
    let mut stage = Stage::coven();
    stage.makes(WISER, HAG, "member");
    assert_eq!(stage.gets_one(HAG).standing(), "member/participant hag66@example.org/pda");
    assert_eq!(stage.gets_one(CRONE1).standing(), "member/participant hag66@example.org/pda");
    stage.forget();
    stage.makes(WISER, HAG, "none");
    assert_eq!(stage.gets_one(HAG).standing(), "none/participant hag66@example.org/pda");
    stage.makes(WISER, HAG, "member");
    stage.sets("membersonly", "1");
    stage.makes(WISER, HAG, "none");
    let own = stage.gets_one(HAG);
    assert_eq!(
        (own.kind(), own.codes(), own.standing().as_str()),
        ("unavailable", vec![110, 321], "none/none hag66@example.org/pda")
    );
    assert_eq!(stage.gets_one(CRONE1).codes(), [321]);
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets_one(HAG).condition(), "registration-required");
}

#[test]
fn section_9_3_a_visitor_who_becomes_a_member_has_voice() {
    let mut stage = Stage::new();
    stage.sets("moderatedroom", "1");
    stage.enters(HAG, "thirdwitch");
    stage.forget();
    stage.makes(CRONE1, HAG, "member");
    assert_eq!(stage.gets_one(HAG).standing(), "member/participant hag66@example.org/pda");
}

#[test]
fn example_129_to_133_the_member_list() {
    let mut stage = Stage::coven();
    stage
        .admin(
            WISER,
            "<item affiliation='member' jid='hag66@example.org'/><item affiliation='member' jid='a@example.org/x'/>",
        )
        .is_result();
    assert_eq!(
        stage.lists(WISER, "<item affiliation='member'/>").items(),
        ["member a@example.org", "member hag66@example.org"]
    );
    assert_eq!(stage.lists(HAG, "<item affiliation='member'/>").refused(), "forbidden", "addresses are hidden here");
    stage.sets("whois", "anyone");
    assert_eq!(stage.lists(HAG, "<item affiliation='member'/>").items().len(), 2);
    assert_eq!(stage.lists(HAG, "<item affiliation='outcast'/>").refused(), "forbidden");
    assert_eq!(stage.lists("new@example.org/x", "<item affiliation='member'/>").refused(), "forbidden");
    stage.sets("getmemberlist", "moderator");
    assert_eq!(stage.lists(HAG, "<item affiliation='member'/>").refused(), "forbidden");
}

#[test]
fn example_134_a_new_member_of_a_members_only_room_is_invited() {
    let mut stage = Stage::coven();
    stage.sets("membersonly", "1");
    stage.makes(WISER, HECATE, "member");
    let got = stage.gets_one("hecate@example.org");
    assert!(got.child("x", USER).unwrap().child("invite", USER).is_some());
    stage.sets("affiliationnotify", "1");
    stage.makes(WISER, "other@example.org", "member");
    let told = stage.gets_one(CRONE1);
    assert_eq!((told.codes(), told.item().attr("jid")), (vec![101], Some("other@example.org")));
}

#[test]
fn example_137_to_144_moderators_are_made_and_unmade() {
    let mut stage = Stage::coven();
    stage.enters("new@example.org/x", "new");
    stage.forget();
    stage.lets(WISER, "thirdwitch", "moderator");
    let got = stage.gets(HAG);
    assert_eq!(got[0].standing(), "none/moderator hag66@example.org/pda");
    assert!(
        got[1..].iter().any(|one| one.standing() == "none/participant new@example.org/x"),
        "now addresses are shown"
    );
    stage.admin(HAG, "<item nick='new' role='none'/>").is_result();
    stage.forget();
    stage.lets(WISER, "thirdwitch", "participant");
    assert_eq!(stage.gets_one(HAG).standing(), "none/participant hag66@example.org/pda");
}

#[test]
fn example_145_to_150_the_moderator_list() {
    let mut stage = with_hecate();
    assert_eq!(stage.admin(WISER, "<item nick='firstwitch' role='participant'/>").refused(), "not-allowed");
    assert_eq!(stage.admin(HECATE, "<item nick='thirdwitch' role='moderator'/>").refused(), "not-allowed");
    let mut items = stage.lists(WISER, "<item role='moderator'/>").items();
    items.sort();
    assert_eq!(
        items,
        [
            "admin wiccarocks@example.org/laptop secondwitch moderator",
            "none hecate@example.org/broom hecate moderator",
            "owner crone1@example.org/desktop firstwitch moderator",
        ]
    );
    stage
        .admin(WISER, "<item nick='thirdwitch' role='moderator'/><item nick='hecate' role='participant'/>")
        .is_result();
    assert_eq!(stage.lists(WISER, "<item role='moderator'/>").items().len(), 3);
}

#[test]
fn example_151_a_registration_with_a_members_only_room_is_decided_by_its_admins() {
    let mut stage = Stage::coven();
    stage.sets("membersonly", "1");
    let field = |var: &str, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
    let form = |more: &str| {
        let kind = field("FORM_TYPE", "http://jabber.org/protocol/muc#register");
        let nick = field("muc#register_roomnick", "fourthwitch");
        format!("<x xmlns='jabber:x:data' type='submit'>{kind}{nick}{more}</x>")
    };
    let new = "new@example.org/x";
    stage.asks(new, "set", &format!("<query xmlns='jabber:iq:register'>{}</query>", form(""))).is_result();
    let got = stage.gets_one(WISER).child("x", "jabber:x:data").unwrap();
    let got = xeps::form::Form::parse(&got).unwrap();
    assert_eq!((got.value("muc#jid"), got.value("muc#register_allow")), (Some("new@example.org"), Some("0")));
    stage.enters(new, "fourthwitch");
    assert_eq!(stage.gets_one(new).condition(), "registration-required");
    stage.forget();
    let decision = form(&(field("muc#jid", "new@example.org") + &field("muc#register_allow", "1")));
    stage.sends(new, &format!("<message to='{ROOM}'>{decision}</message>"));
    assert_eq!(stage.gets_one(new).condition(), "forbidden");
    stage.sends(WISER, &format!("<message to='{ROOM}'>{decision}</message>"));
    stage.enters(new, "fourthwitch");
    assert_eq!(stage.gets_one(WISER).standing(), "member/participant new@example.org/x");
}

#[test]
fn xep_0424_authors_retract_their_messages_and_nobody_elses() {
    let mut stage = Stage::coven();
    stage.says(HAG, "slander");
    let id = stage.gets_one(CRONE1).stanza_id();
    stage.forget();
    let retract =
        format!("<message type='groupchat' id='r1'><retract xmlns='urn:xmpp:message-retract:1' id='{id}'/></message>");
    stage.sends(CRONE1, &retract);
    assert_eq!(stage.gets_one(CRONE1).condition(), "forbidden");
    stage.sends(HAG, &retract);
    assert_eq!(stage.gets(CRONE1).len(), 1);
    let archive = archived(&mut stage);
    assert_eq!(archive.len(), 2);
    assert!(
        !archive[0].contains("slander") && archive[0].contains("<retracted xmlns='urn:xmpp:message-retract:1' id='r1'")
    );
    assert!(archive[1].contains("<retract "));
}

#[test]
fn xep_0425_moderators_retract_messages() {
    let mut stage = Stage::coven();
    stage.says(HAG, "slander");
    let id = stage.gets_one(CRONE1).stanza_id();
    stage.forget();
    let moderate = |id: &str| {
        format!(
            "<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/><reason>Improper</reason></moderate>"
        )
    };
    assert_eq!(stage.asks(HAG, "set", &moderate(&id)).refused(), "forbidden");
    assert_eq!(stage.asks(WISER, "set", &moderate("77")).refused(), "item-not-found");
    stage.nobody_gets_anything();
    stage.asks(WISER, "set", &moderate(&id)).is_result();
    for who in [CRONE1, HAG, WISER] {
        let got = stage.gets_one(who);
        assert_eq!(got.nick(), "");
        let retract = got.child("retract", "urn:xmpp:message-retract:1").unwrap();
        let moderated = retract.child("moderated", "urn:xmpp:message-moderate:1").unwrap();
        assert_eq!(
            (retract.attr("id"), moderated.attr("by")),
            (Some(id.as_str()), Some("coven@muc.example.org/secondwitch"))
        );
    }
    let archive = archived(&mut stage);
    assert!(!archive[0].contains("slander") && archive[0].contains("<moderated") && archive[0].contains("Improper"));
    stage.enters(HECATE, "hecate");
    assert!(stage.gets(HECATE).iter().all(|got| got.body() != "slander"));
    stage.forget();
    stage.sends(HAG, &format!("<message type='groupchat' id='f'><retract xmlns='urn:xmpp:message-retract:1' id='{id}'><moderated xmlns='urn:xmpp:message-moderate:1'/></retract></message>"));
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden");
}

/// The results of a query of the archive.
fn archived(stage: &mut Stage) -> Vec<String> {
    stage.forget();
    stage.asks(CRONE1, "set", "<query xmlns='urn:xmpp:mam:2' queryid='q'/>").is_result();
    stage.gets(CRONE1).iter().map(|got| got.xml()).collect()
}
