//! XEP-0045 sections 7.3 to 7.14, example by example: what occupants do.

use crate::stage::{CRONE1, HAG, ROOM, Stage, USER, WISER};

const FORM: &str = "jabber:x:data";
const REGISTER: &str = "jabber:iq:register";

#[test]
fn example_44_and_45_a_message_reaches_everybody_from_the_occupant() {
    let mut stage = Stage::coven();
    stage.says(HAG, "Harpier cries: it is time");
    let ids: Vec<_> = [CRONE1, WISER, HAG]
        .map(|who| {
            let got = stage.gets_one(who);
            assert_eq!((got.nick().as_str(), got.kind()), ("thirdwitch", "groupchat"));
            assert_eq!(got.body(), "Harpier cries: it is time");
            (got.stanza_id(), got.occupant_id())
        })
        .to_vec();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn section_7_4_who_is_not_in_the_room_or_has_no_voice_is_refused() {
    let mut stage = Stage::coven();
    stage.says("new@example.org/x", "hello");
    assert_eq!(stage.gets_one("new@example.org/x").condition(), "not-acceptable");
    stage.lets(CRONE1, "thirdwitch", "visitor");
    stage.forget();
    stage.says(HAG, "hello");
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden");
    stage.sends(HAG, "<message to='nowhere@muc.example.org' type='groupchat'><body>x</body></message>");
    assert_eq!(stage.gets(HAG)[0].condition(), "item-not-found");
    stage.nobody_gets_anything();
}

#[test]
fn section_17_2_what_only_the_room_may_say_is_taken_out_and_the_rest_passes() {
    let mut stage = Stage::coven();
    let forged = format!(
        "<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2020-01-01T00:00:00Z'/><x xmlns='{USER}'><status code='104'/></x>"
    );
    let kept = "<html xmlns='http://jabber.org/protocol/xhtml-im'/><stanza-id xmlns='urn:xmpp:sid:0' by='example.org' id='1'/>";
    stage.sends(HAG, &format!("<message type='groupchat' id='a'><body>x</body>{forged}{kept}</message>"));
    let got = stage.gets_one(CRONE1);
    assert!(!got.xml().contains("forged") && !got.xml().contains("104") && !got.xml().contains("2020"));
    assert!(got.xml().contains("xhtml-im") && got.xml().contains("by='example.org'"));
}

#[test]
fn example_46_and_47_a_private_message() {
    let mut stage = Stage::coven();
    stage.sends(
        WISER,
        &format!(
            "<message to='{ROOM}/firstwitch' type='chat' id='hgn27af1'><body>I'll give thee a wind.</body></message>"
        ),
    );
    let got = stage.gets_one(CRONE1);
    assert_eq!((got.nick().as_str(), got.kind(), got.0.id.as_deref()), ("secondwitch", "chat", Some("hgn27af1")));
    assert!(got.child("x", USER).is_some() && !got.xml().contains("wiccarocks"));
    stage.nobody_gets_anything();
    let log = xeps::store::LogKey::new(ROOM, "archive");
    use xeps::store::Store;
    assert_eq!(xeps::testing::now_or_never(stage.hosted.store.summary(log)).unwrap().entries, 0);
}

#[test]
fn example_48_private_messages_that_cannot_be() {
    let mut stage = Stage::coven();
    let mut refused = |who: &str, nick: &str, kind: &str| {
        stage.sends(who, &format!("<message to='{ROOM}/{nick}' type='{kind}' id='a'><body>x</body></message>"));
        stage.gets_one(who).condition()
    };
    assert_eq!(refused(WISER, "firstwitch", "groupchat"), "bad-request");
    assert_eq!(refused(WISER, "nobody", "chat"), "item-not-found");
    assert_eq!(refused("new@example.org/x", "firstwitch", "chat"), "not-acceptable");
    stage.sets("allowpm", "moderators");
    let mut send = |to: &str| {
        stage.sends(HAG, &format!("<message to='{ROOM}/{to}' type='chat'><body>x</body></message>"));
        stage.gets(HAG).len()
    };
    assert_eq!((send("thirdwitch"), send("firstwitch")), (1, 0), "moderators can always be asked");
    stage.sets("allowpm", "none");
    stage.sends(CRONE1, &format!("<message to='{ROOM}/thirdwitch' type='chat'><body>x</body></message>"));
    assert_eq!(stage.gets_one(CRONE1).condition(), "forbidden");
}

#[test]
fn example_49_and_50_a_new_nickname() {
    let mut stage = Stage::coven();
    stage.sends(HAG, &format!("<presence to='{ROOM}/oldhag'><show>away</show></presence>"));
    for (who, codes) in [(HAG, vec![110, 303]), (CRONE1, vec![303]), (WISER, vec![303])] {
        let got = stage.gets(who);
        assert_eq!(got.len(), 2);
        assert_eq!((got[0].nick().as_str(), got[0].kind(), got[0].codes()), ("thirdwitch", "unavailable", codes));
        assert_eq!((got[0].item().attr("nick"), got[0].item().attr("role")), (Some("oldhag"), Some("participant")));
        assert_eq!((got[1].nick().as_str(), got[1].kind()), ("oldhag", ""));
        assert_eq!(got[1].codes().contains(&110), who == HAG);
        assert!(got[1].xml().contains("<show>away</show>"));
    }
}

#[test]
fn example_52_and_53_nicknames_that_cannot_be_had() {
    let mut stage = Stage::coven();
    let mut wish = |nick: &str| {
        stage.sends(HAG, &format!("<presence to='{ROOM}/{nick}' id='n'/>"));
        stage.gets_one(HAG).condition()
    };
    assert_eq!(wish("firstwitch"), "conflict");
    assert_eq!(wish(&"x".repeat(300)), "not-acceptable");
    stage.sets("allowvisitornickchange", "0");
    stage.lets(CRONE1, "thirdwitch", "visitor");
    stage.forget();
    stage.sends(HAG, &format!("<presence to='{ROOM}/oldhag' id='n'/>"));
    assert_eq!(stage.gets_one(HAG).condition(), "not-acceptable");
}

#[test]
fn section_7_6_one_of_two_sessions_takes_another_nickname_and_comes_back() {
    let mut stage = Stage::coven();
    let phone = "hag66@example.org/phone";
    stage.enters(phone, "thirdwitch");
    stage.forget();
    stage.sends(phone, &format!("<presence to='{ROOM}/mobile'/>"));
    assert_eq!(stage.gets(phone).iter().map(|got| got.codes()).collect::<Vec<_>>(), [vec![110, 303], vec![110]]);
    let seen: Vec<_> = stage.gets(CRONE1).iter().map(|got| (got.nick(), got.kind())).collect();
    assert_eq!(seen, [("thirdwitch".to_owned(), ""), ("mobile".to_owned(), "")]);
    stage.forget();
    stage.sends(phone, &format!("<presence to='{ROOM}/thirdwitch'/>"));
    let seen: Vec<_> = stage.gets(CRONE1).iter().map(|got| (got.nick(), got.kind())).collect();
    assert_eq!(seen, [("mobile".to_owned(), "unavailable"), ("thirdwitch".to_owned(), "")]);
    stage.forget();
    stage.says(CRONE1, "both");
    assert_eq!((stage.gets(phone).len(), stage.gets(HAG).len()), (1, 1));
}

#[test]
fn example_54_and_55_availability() {
    let mut stage = Stage::coven();
    stage.sends(
        WISER,
        &format!(
            "<presence to='{ROOM}/secondwitch'><show>xa</show><status>gone where the goblins go</status></presence>"
        ),
    );
    for who in [CRONE1, HAG, WISER] {
        let got = stage.gets_one(who);
        assert!(got.xml().contains("gone where the goblins go") && got.xml().contains("<show>xa</show>"));
        assert!(got.standing().starts_with("admin/moderator"));
    }
    stage.sets("allowvisitorstatus", "0");
    stage.lets(CRONE1, "thirdwitch", "visitor");
    stage.forget();
    stage.sends(HAG, &format!("<presence to='{ROOM}/thirdwitch'><show>dnd</show><status>Buy this</status></presence>"));
    let got = stage.gets_one(CRONE1);
    assert!(got.xml().contains("dnd") && !got.xml().contains("Buy"));
}

#[test]
fn a_role_that_is_not_broadcast_is_seen_by_moderators_only_and_comes_and_goes_with_the_role() {
    let mut stage = Stage::new();
    stage.sets("presencebroadcast", "moderator|participant");
    stage.sets("moderatedroom", "1");
    stage.makes(CRONE1, WISER, "member");
    stage.enters(WISER, "secondwitch");
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets(HAG).iter().filter(|got| got.0.kind.name() == "presence").count(), 3);
    assert_eq!(stage.gets_one(CRONE1).nick(), "thirdwitch");
    stage.gets_nothing(WISER);
    stage.lets(CRONE1, "thirdwitch", "participant");
    assert_eq!(stage.gets_one(WISER).standing(), "none/participant");
    stage.lets(CRONE1, "thirdwitch", "visitor");
    let gone = stage.gets_one(WISER);
    assert_eq!((gone.kind(), gone.standing().as_str()), ("unavailable", "none/none"));
    stage.forget();
    stage.leaves(HAG);
    stage.gets_nothing(WISER);
    assert_eq!(stage.gets_one(CRONE1).kind(), "unavailable");
}

#[test]
fn example_56_and_57_a_mediated_invitation() {
    let mut stage = Stage::coven();
    stage.configures(
        CRONE1,
        &[("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "cauldronburn")],
    );
    stage.forget();
    let forged = "from='king@example.org'";
    stage.sends(HAG, &format!(
        "<message id='nzd143v8'><x xmlns='{USER}'><invite {forged} to='hecate@shakespeare.lit'><reason>Hey Hecate, this is the place!</reason>
         </invite></x></message>"
    ));
    let got = stage.gets_one("hecate@shakespeare.lit");
    assert_eq!((got.nick().as_str(), got.kind()), ("", ""));
    let x = got.child("x", USER).unwrap();
    let invite = x.child("invite", USER).unwrap();
    assert_eq!((invite.attr("from"), invite.attr("to")), (Some("hag66@example.org"), None));
    assert_eq!(invite.child("reason", USER).unwrap().text(), "Hey Hecate, this is the place!");
    assert_eq!(x.child("password", USER).unwrap().text(), "cauldronburn");
    // XEP-0249.
    let direct = got.child("x", "jabber:x:conference").unwrap();
    assert_eq!((direct.attr("jid"), direct.attr("password")), (Some(ROOM), Some("cauldronburn")));
    stage.nobody_gets_anything();

    // Nobody is there.
    let id = got.0.id.unwrap();
    stage.sends("hecate@shakespeare.lit", &format!(
        "<message type='error' id='{id}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ));
    let told = stage.gets_one(HAG);
    assert_eq!((told.condition().as_str(), told.0.id.as_deref()), ("item-not-found", Some("nzd143v8")));
}

#[test]
fn example_58_and_59_an_invitation_declined() {
    let mut stage = Stage::coven();
    let decline = |to: &str| {
        format!(
            "<message><x xmlns='{USER}'><decline to='{to}'><reason>Sorry, I'm too busy.</reason></decline></x></message>"
        )
    };
    stage.sends("hecate@shakespeare.lit/broom", &decline("hag66@example.org"));
    let got = stage.gets_one("hag66@example.org");
    let x = got.child("x", USER).unwrap();
    let decline_got = x.child("decline", USER).unwrap();
    assert_eq!(decline_got.attr("from"), Some("hecate@shakespeare.lit"));
    assert_eq!(decline_got.child("reason", USER).unwrap().text(), "Sorry, I'm too busy.");
    stage.sends("hecate@shakespeare.lit/broom", &decline("stranger@example.net"));
    stage.gets_nothing("stranger@example.net");
    assert_eq!(stage.gets_one("hecate@shakespeare.lit/broom").condition(), "item-not-found");
}

#[test]
fn example_63_to_65_a_conversation_continued() {
    let mut stage = Stage::coven();
    stage.sends(HAG, &format!(
        "<message><x xmlns='{USER}'><invite to='a@example.org'><continue thread='e0ff'/></invite><invite to='b@example.org/x'/></x></message>"
    ));
    let got = stage.gets_one("a@example.org").child("x", USER).unwrap();
    assert_eq!(got.child("invite", USER).unwrap().child("continue", USER).unwrap().attr("thread"), Some("e0ff"));
    assert_eq!(stage.gets("b@example.org/x").len(), 1);
}

#[test]
fn section_7_8_2_members_only_rooms_invite_by_their_admins() {
    let mut stage = Stage::coven();
    stage.makes(CRONE1, HAG, "member");
    stage.sets("membersonly", "1");
    let invite = format!("<message id='i'><x xmlns='{USER}'><invite to='hecate@shakespeare.lit'/></x></message>");
    stage.sends(HAG, &invite);
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden");
    stage.sends("new@example.org/x", &invite);
    assert_eq!(stage.gets_one("new@example.org/x").condition(), "not-acceptable");
    stage.nobody_gets_anything();
    stage.sends(WISER, &invite);
    stage.forget();
    stage.enters("hecate@shakespeare.lit/broom", "hecate");
    assert_eq!(stage.gets_one(CRONE1).standing(), "member/participant hecate@shakespeare.lit/broom");
    stage.sets("allowinvites", "1");
    stage.sends(HAG, &invite);
    assert_eq!(stage.gets("hecate@shakespeare.lit").len(), 1);
}

fn registration(nick: &str) -> String {
    format!(
        "<query xmlns='{REGISTER}'><x xmlns='{FORM}' type='submit'>
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>
         <field var='muc#register_roomnick'><value>{nick}</value></field></x></query>"
    )
}

#[test]
fn example_66_to_76_registration() {
    let mut stage = Stage::coven();
    let ask = format!("<query xmlns='{REGISTER}'/>");
    assert_eq!(stage.asks_at(HAG, "nowhere@muc.example.org", "get", &ask).refused(), "item-not-found");
    assert_eq!(stage.asks(HAG, "get", &ask).field("FORM_TYPE"), ["http://jabber.org/protocol/muc#register"]);
    assert_eq!(stage.asks(HAG, "set", &ask).refused(), "bad-request");
    stage.forget();
    stage.asks(HAG, "set", &registration("thirdwitch")).is_result();
    assert_eq!(stage.gets_one(CRONE1).standing(), "member/participant hag66@example.org/pda");
    assert_eq!(stage.asks(WISER, "set", &registration("thirdwitch")).refused(), "conflict");
    let told = stage.asks(HAG, "get", &ask).payload();
    assert!(told.child("registered", REGISTER).is_some());
    assert_eq!(told.child("username", REGISTER).unwrap().text(), "thirdwitch");
    stage.makes(CRONE1, "bad@example.org", "outcast");
    assert_eq!(stage.asks("bad@example.org/x", "get", &ask).refused(), "not-allowed");
    stage.sets("enable_registration", "0");
    assert_eq!(stage.asks("new@example.org/x", "get", &ask).refused(), "not-allowed");
}

#[test]
fn example_77_and_78_the_reserved_nickname_is_told_and_kept_over_restarts() {
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    let ask = "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>";
    assert_eq!(stage.asks(HAG, "get", ask).payload().children().count(), 0);
    stage.asks(HAG, "set", &registration("witch")).is_result();
    stage.restarts();
    stage.forget();
    let told = stage.asks(HAG, "get", ask).payload();
    assert_eq!(told.children().next().unwrap().attr("name"), Some("witch"));
    stage.enters("new@example.org/x", "witch");
    assert_eq!(stage.gets_one("new@example.org/x").condition(), "conflict");
    stage.asks(HAG, "set", &format!("<query xmlns='{REGISTER}'><remove/></query>")).is_result();
    stage.enters("new@example.org/x", "witch");
    assert_eq!(stage.gets("new@example.org/x")[0].kind(), "");
}

#[test]
fn example_79_108_and_109_voice_is_asked_for_and_given() {
    let mut stage = Stage::new();
    stage.sets("moderatedroom", "1");
    stage.enters(HAG, "thirdwitch");
    stage.forget();
    let request = |more: &str| {
        format!(
            "<message id='yd53c486'><x xmlns='{FORM}' type='submit'>
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>
             <field var='muc#role'><value>participant</value></field>{more}</x></message>"
        )
    };
    let approval = "<field var='muc#roomnick'><value>thirdwitch</value></field>
        <field var='muc#request_allow'><value>true</value></field>";
    stage.sends(HAG, &request(approval));
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden", "nobody grants voice to himself");
    stage.sends(HAG, &request(""));
    let form = stage.gets_one(CRONE1).child("x", FORM).unwrap();
    let form = xeps::form::Form::parse(&form).unwrap();
    assert_eq!((form.value("muc#jid"), form.value("muc#roomnick")), (Some(HAG), Some("thirdwitch")));
    stage.gets_nothing(HAG);
    stage.sends(HAG, &request(""));
    assert_eq!(stage.gets_one(HAG).condition(), "resource-constraint");
    stage.sends(CRONE1, &request(approval));
    assert_eq!(stage.gets_one(HAG).standing(), "none/participant hag66@example.org/pda");
    stage.sets("allowvoicerequests", "0");
    stage.lets(CRONE1, "thirdwitch", "visitor");
    stage.wait(1000);
    stage.forget();
    stage.sends(HAG, &request(""));
    assert_eq!(stage.gets_one(HAG).condition(), "forbidden");
}

#[test]
fn example_80_to_83_leaving() {
    let mut stage = Stage::coven();
    stage.sends(
        HAG,
        &format!(
            "<presence to='{ROOM}/thirdwitch' type='unavailable'><status>gone where the goblins go</status></presence>"
        ),
    );
    let own = stage.gets_one(HAG);
    assert_eq!(
        (own.kind(), own.codes(), own.standing().as_str()),
        ("unavailable", vec![110], "none/none hag66@example.org/pda")
    );
    for who in [CRONE1, WISER] {
        let got = stage.gets_one(who);
        assert_eq!((got.nick().as_str(), got.kind(), got.codes()), ("thirdwitch", "unavailable", vec![]));
        assert!(got.xml().contains("goblins") && got.standing().starts_with("none/none"));
    }
    stage.leaves(HAG);
    stage.nobody_gets_anything();
}

#[test]
fn example_205_and_206_who_cannot_be_reached_is_removed() {
    let error = |condition: &str, to: &str| {
        format!(
            "<message to='{ROOM}{to}' type='error'><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    };
    for condition in ["gone", "item-not-found", "recipient-unavailable", "remote-server-timeout", "service-unavailable"]
    {
        let mut stage = Stage::coven();
        stage.sends(HAG, &error(condition, "/firstwitch"));
        assert_eq!(stage.gets_one(HAG).codes(), [110, 333]);
        assert_eq!((stage.gets_one(CRONE1).codes(), stage.gets_one(WISER).kind()), (vec![333], "unavailable"));
    }
    let mut stage = Stage::coven();
    stage.sends(HAG, &error("policy-violation", "/firstwitch"));
    let got = stage.gets_one(CRONE1);
    assert_eq!((got.nick().as_str(), got.condition().as_str()), ("thirdwitch", "policy-violation"));
    stage.sends(HAG, &format!("<presence to='{ROOM}/firstwitch' type='error'><error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"));
    assert_eq!(stage.gets_one(CRONE1).codes(), [333]);
}

#[test]
fn section_17_4_requests_are_passed_on_with_neither_side_learning_an_address() {
    let mut stage = Stage::coven();
    stage.enters("crone1@example.org/second", "firstwitch");
    stage.forget();
    let ask = |id: &str, to: &str, what: &str| format!("<iq to='{ROOM}/{to}' id='{id}' type='get'>{what}</iq>");
    stage.sends(HAG, &ask("q.1", "secondwitch", "<query xmlns='urn:example:question'/>"));
    let got = stage.gets_one(WISER);
    assert_eq!((got.nick().as_str(), got.kind()), ("thirdwitch", "get"));
    let id = got.0.id.unwrap();
    for stranger in ["new@example.org/x", CRONE1] {
        stage.sends(stranger, &format!("<iq to='{ROOM}/thirdwitch' id='{id}' type='result'/>"));
        stage.gets_nothing(HAG);
    }
    stage.sends(
        WISER,
        &format!("<iq to='{ROOM}/thirdwitch' id='{id}' type='result'><query xmlns='urn:example:question'/></iq>"),
    );
    let answer = stage.gets_one(HAG);
    assert_eq!((answer.nick().as_str(), answer.0.id.as_deref()), ("secondwitch", Some("q.1")));
    assert!(!answer.xml().contains("wiccarocks"));

    // What is the user's and not the client's is asked of the account, and comes back from it.
    stage.sends(HAG, &ask("v", "secondwitch", "<vCard xmlns='vcard-temp'/>"));
    let id = stage.gets_one("wiccarocks@example.org").0.id.unwrap();
    stage.sends(
        "wiccarocks@example.org",
        &format!("<iq to='{ROOM}/thirdwitch' id='{id}' type='result'><vCard xmlns='vcard-temp'/></iq>"),
    );
    assert_eq!(stage.gets_one(HAG).nick(), "secondwitch");

    stage.sends(HAG, &ask("n", "nobody", "<query xmlns='urn:example:question'/>"));
    assert_eq!(stage.gets_one(HAG).condition(), "item-not-found");
    stage.sends("new@example.org/x", &ask("o", "firstwitch", "<query xmlns='urn:example:question'/>"));
    assert_eq!(stage.gets_one("new@example.org/x").condition(), "not-acceptable");
    stage.sets("allow_query_users", "0");
    stage.configures(CRONE1, &[("allow_query_users", "0")]);
    stage.forget();
    stage.sends(HAG, &ask("p", "firstwitch", "<query xmlns='urn:example:question'/>"));
    assert_eq!(stage.gets_one(HAG).condition(), "not-allowed");
}

#[test]
fn xep_0410_a_ping_of_oneself_is_answered_by_the_room() {
    let mut stage = Stage::coven();
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    stage.asks_at(HAG, &format!("{ROOM}/thirdwitch"), "get", ping).is_result();
    stage.nobody_gets_anything();
    for (who, nick) in [("hag66@example.org/phone", "thirdwitch"), ("new@example.org/x", "firstwitch")] {
        assert_eq!(stage.asks_at(who, &format!("{ROOM}/{nick}"), "get", ping).refused(), "not-acceptable");
    }
    stage.sets("persistentroom", "1");
    stage.restarts();
    assert_eq!(stage.asks_at(HAG, &format!("{ROOM}/thirdwitch"), "get", ping).refused(), "not-acceptable");
    stage.says(HAG, "anybody?");
    assert_eq!(stage.gets_one(HAG).condition(), "not-acceptable");
    stage.enters(HAG, "thirdwitch");
    stage.asks_at(HAG, &format!("{ROOM}/thirdwitch"), "get", ping).is_result();
}

#[test]
fn xep_0421_an_occupant_id_is_of_the_user_and_the_room() {
    let mut stage = Stage::coven();
    stage.leaves(HAG);
    let first = stage.gets_one(CRONE1).occupant_id();
    stage.forget();
    stage.enters("hag66@example.org/other", "another");
    assert_eq!(stage.gets_one(CRONE1).occupant_id(), first);
    stage.leaves("hag66@example.org/other");
    stage.forget();
    stage.enters("new@example.org/x", "thirdwitch");
    let got = stage.gets_one(CRONE1).occupant_id();
    assert!(got != first && !got.contains("new"));
}

#[test]
fn a_message_to_many_is_serialised_once() {
    let mut stage = Stage::coven();
    for n in 0..20 {
        stage.enters(&format!("user{n}@example.org/x"), &format!("user{n}"));
    }
    let message = format!("<message from='{HAG}' to='{ROOM}' type='groupchat'><body>x</body></message>");
    let sent = stage.hosted.takes(xeps::testing::stanza(&message));
    assert_eq!(sent.len(), 23);
    assert!(sent.iter().all(|one| std::sync::Arc::ptr_eq(one.payload(), sent[0].payload())));
    let presence = format!("<presence from='{HAG}' to='{ROOM}/thirdwitch'><show>away</show></presence>");
    let sent = stage.hosted.takes(xeps::testing::stanza(&presence));
    let mut payloads: Vec<_> = sent.iter().map(|one| std::sync::Arc::as_ptr(one.payload())).collect();
    payloads.sort_unstable();
    payloads.dedup();
    assert_eq!(payloads.len(), 3, "for moderators, for others, for oneself");
}
