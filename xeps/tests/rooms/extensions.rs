//! What rooms can do beside XEP-0045: hats, versions of affiliations, tokens, slow mode, mentions, and calls.

use crate::stage::{self, Answer, CRONE1, HAG, MUC, ROOM, Stage, USER, WISER};
use wire::xml::Element;

const COMMANDS: &str = "http://jabber.org/protocol/commands";
const HATS: &str = "urn:xmpp:hats:0";
const MAV: &str = "urn:xmpp:muc:affiliations:1";
const TOKEN: &str = "urn:xmpp:muc-token-invite:0";
const MENTIONS: &str = "urn:xmpp:mentions:0";

fn says_that_it_can(stage: &mut Stage, feature: &str) {
    assert!(stage.features(ROOM).iter().any(|has| has == feature), "{feature}");
}

fn form(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

/// Runs a command on hats; without fields it is only asked for.
fn runs(stage: &mut Stage, who: &str, command: &str, fields: &[(&str, &str)]) -> Answer {
    let form = if fields.is_empty() { String::new() } else { form(fields) };
    let node = format!("urn:xmpp:hats:commands:{command}");
    stage.asks(who, "set", &format!("<command xmlns='{COMMANDS}' node='{node}' action='execute'>{form}</command>"))
}

const TEACHER: &str = "http://tech.example.edu/hats#Teacher";

fn teacher(stage: &mut Stage) {
    runs(stage, WISER, "create", &[("hats#title", "Teacher"), ("hats#uri", TEACHER), ("hats#hue", "327.25")])
        .is_result();
    stage.forget();
}

/// The titles of the hats in a presence.
fn worn(got: &stage::Got) -> Vec<String> {
    let hats = got.child("hats", HATS);
    hats.iter().flat_map(Element::children).map(|hat| hat.attr("title").unwrap().to_owned()).collect()
}

#[test]
fn xep_0317_examples_4_to_8_an_admin_makes_a_hat() {
    let mut stage = Stage::coven();
    says_that_it_can(&mut stage, HATS);
    says_that_it_can(&mut stage, COMMANDS);
    let asked = runs(&mut stage, WISER, "create", &[]);
    assert_eq!(asked.payload().attr("status"), Some("executing"));
    assert_eq!(asked.field("FORM_TYPE"), ["urn:xmpp:hats:commands"]);
    let done = runs(&mut stage, WISER, "create", &[("hats#title", "Teacher"), ("hats#uri", TEACHER)]);
    assert_eq!(done.payload().attr("status"), Some("completed"));
    for who in [CRONE1, WISER, HAG] {
        assert_eq!(stage.gets_one(who).codes(), [104]);
    }
    assert_eq!(runs(&mut stage, HAG, "create", &[]).refused(), "forbidden");
    assert_eq!(
        runs(&mut stage, WISER, "create", &[("hats#title", "T"), ("hats#uri", "x")]).refused(),
        "not-acceptable"
    );
    assert_eq!(runs(&mut stage, WISER, "unheard-of", &[]).refused(), "item-not-found");
    let cancel = format!("<command xmlns='{COMMANDS}' node='urn:xmpp:hats:commands:create' action='cancel'/>");
    assert_eq!(stage.asks(WISER, "set", &cancel).payload().attr("status"), Some("canceled"));
    let ask = format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/>");
    let commands = |stage: &mut Stage, who: &str| stage.asks(who, "get", &ask).payload().children().count();
    assert_eq!((commands(&mut stage, WISER), commands(&mut stage, HAG)), (6, 1));
}

#[test]
fn xep_0317_examples_15_to_20_a_hat_is_worn_and_taken_away() {
    let mut stage = Stage::coven();
    teacher(&mut stage);
    let hag = ("hats#jid", "hag66@example.org");
    runs(&mut stage, WISER, "assign", &[hag, ("hats#uri", TEACHER)]).is_result();
    for who in [CRONE1, WISER, HAG] {
        let got = stage.gets_one(who);
        assert_eq!((got.nick().as_str(), worn(&got)), ("thirdwitch", vec!["Teacher".to_owned()]));
    }
    stage.enters("new@example.org/x", "new");
    let seen: Vec<_> = stage.gets("new@example.org/x").iter().map(worn).collect();
    assert_eq!(seen.iter().filter(|worn| **worn == ["Teacher"]).count(), 1);
    let listed = runs(&mut stage, CRONE1, "list-assigned", &[]).payload();
    let items: Vec<_> = listed.child("x", "jabber:x:data").unwrap().children_named("item", "jabber:x:data").collect();
    assert_eq!(
        (items.len(), items[0].child("field", "jabber:x:data").unwrap().children().next().unwrap().text()),
        (1, "hag66@example.org".to_owned())
    );
    assert_eq!(runs(&mut stage, HAG, "list-assigned", &[]).refused(), "forbidden", "addresses are hidden here");

    stage.forget();
    runs(&mut stage, WISER, "create", &[("hats#title", "Master"), ("hats#uri", TEACHER)]).is_result();
    let told: Vec<_> = stage.gets(CRONE1).iter().map(worn).collect();
    assert_eq!(told, [vec![], vec!["Master".to_owned()]], "104, and who wears it is shown anew");
    runs(&mut stage, WISER, "unassign", &[hag, ("hats#uri", TEACHER)]).is_result();
    assert!(worn(&stage.gets_one(CRONE1)).is_empty());
    assert_eq!(runs(&mut stage, WISER, "unassign", &[hag, ("hats#uri", TEACHER)]).refused(), "item-not-found");
    assert_eq!(runs(&mut stage, WISER, "assign", &[hag, ("hats#uri", "urn:none")]).refused(), "item-not-found");
}

#[test]
fn xep_0317_hats_outlive_visits_and_restarts_and_go_when_they_are_destroyed() {
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    teacher(&mut stage);
    runs(&mut stage, WISER, "assign", &[("hats#jid", "hag66@example.org"), ("hats#uri", TEACHER)]).is_result();
    let hash = |stage: &mut Stage| {
        let query = stage.asks(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").payload();
        let form = query.child("x", "jabber:x:data").and_then(xeps::form::Form::parse).unwrap();
        form.value("hats#hash").map(str::to_owned)
    };
    let before = hash(&mut stage);
    stage.restarts();
    stage.forget();
    stage.enters(HAG, "hag");
    let own = stage.gets(HAG).into_iter().find(|got| got.0.id.as_deref() == Some("enter") || got.nick() == "hag");
    assert_eq!(worn(&own.unwrap()), ["Teacher"]);
    assert!(before.is_some() && hash(&mut stage) == before);
    assert_eq!(runs(&mut stage, HAG, "list", &[]).payload().attr("status"), Some("completed"));
    runs(&mut stage, WISER, "destroy", &[("hats#uri", TEACHER)]).is_result();
    assert!(worn(stage.gets(HAG).last().unwrap()).is_empty());
    assert_eq!(hash(&mut stage), None);
    assert_eq!(runs(&mut stage, WISER, "destroy", &[("hats#uri", TEACHER)]).refused(), "item-not-found");
}

#[test]
fn xep_0317_nobody_puts_on_a_hat_himself() {
    let mut stage = Stage::coven();
    let hats = format!("<hats xmlns='{HATS}'><hat title='King' uri='urn:king'/></hats>");
    stage.sends(HAG, &format!("<presence to='{ROOM}/thirdwitch'><show>away</show>{hats}</presence>"));
    assert!(worn(&stage.gets_one(CRONE1)).is_empty());
    stage.sends(HAG, &format!("<message type='groupchat'><body>I</body>{hats}</message>"));
    assert!(worn(&stage.gets_one(CRONE1)).is_empty());
}

/// `since until: jid affiliation, ...` of a message or presence.
fn mav(got: &stage::Got) -> (Option<String>, Option<String>, Vec<String>) {
    let x = got.child("x", USER).unwrap_or_else(|| Element::new("x", USER));
    let mav = x.child("mav", MAV);
    let attr = |name: &str| mav.and_then(|mav| mav.attr(name)).map(str::to_owned);
    let item = |item: &Element| {
        let jid = item.attr("jid").unwrap_or("").split('@').next().unwrap();
        format!("{jid} {}", item.attr("affiliation").unwrap())
    };
    (attr("since"), attr("until"), x.children_named("item", USER).map(item).collect())
}

/// The room of the examples, non-anonymous and lasting, whose members may see each other.
fn known_to_each_other() -> Stage {
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    stage.sets("whois", "anyone");
    stage.makes(CRONE1, HAG, "member");
    stage.forget();
    stage
}

/// Somebody enters and follows the affiliations: what comes before any presence, and the version of the own presence.
fn follows(stage: &mut Stage, who: &str, nick: &str, since: &str) -> (Vec<stage::Got>, String) {
    stage.forget();
    stage.enters_with(who, nick, &format!("<mav xmlns='{MAV}'{since}/>"));
    let got = stage.gets(who);
    let own = got.iter().find(|one| one.child("x", USER).is_some() && one.xml().contains("code='110'")).unwrap();
    let until = mav(own).1.expect("the own presence tells the version");
    let messages = got.into_iter().take_while(|one| one.xml().starts_with("<message"));
    (messages.filter(|one| one.child("subject", wire::ns::CLIENT).is_none()).collect(), until)
}

#[test]
fn xep_0463_who_enters_learns_what_has_changed_before_any_presence() {
    let mut stage = known_to_each_other();
    says_that_it_can(&mut stage, MAV);
    stage.leaves(HAG);
    let (told, first) = follows(&mut stage, HAG, "thirdwitch", "");
    let all = vec!["crone1 owner".to_owned(), "hag66 member".to_owned(), "wiccarocks admin".to_owned()];
    assert_eq!(told.iter().map(mav).collect::<Vec<_>>(), [(None, Some(first.clone()), all.clone())]);
    stage.leaves(HAG);
    assert!(follows(&mut stage, HAG, "thirdwitch", &format!(" since='{first}'")).0.is_empty(), "nothing is new");
    stage.leaves(HAG);

    stage.makes(CRONE1, "new@example.org", "member");
    stage.makes(CRONE1, "new@example.org", "none");
    stage.makes(CRONE1, "other@example.org", "outcast");
    stage.restarts();
    let (told, last) = follows(&mut stage, HAG, "thirdwitch", &format!(" since='{first}'"));
    let changed = vec!["new none".to_owned(), "other none".to_owned()];
    assert_eq!(told.iter().map(mav).collect::<Vec<_>>(), [(Some(first), Some(last), changed)], "bans are for admins");
    stage.leaves(HAG);
    let (told, until) = follows(&mut stage, HAG, "thirdwitch", " since='9pacabr2q1'");
    assert_eq!(told.iter().map(mav).collect::<Vec<_>>(), [(None, Some(until), all)], "an unknown version");
}

#[test]
fn xep_0463_every_change_is_told_with_both_versions() {
    let mut stage = known_to_each_other();
    stage.leaves(HAG);
    let (_, before) = follows(&mut stage, HAG, "thirdwitch", "");
    stage.forget();
    stage.makes(CRONE1, "new@example.org", "member");
    let (since, until, items) = mav(&stage.gets_one(HAG));
    assert_eq!((since, items), (Some(before), vec!["new member".to_owned()]));
    stage.gets_nothing(WISER);
    stage.makes(CRONE1, HAG, "admin");
    let (since, next, _) = mav(&stage.gets_one(HAG));
    assert_eq!(since, until, "a presence continues where the message ended");
    stage.forget();
    stage.sends(CRONE1, &format!("<message><x xmlns='{USER}'><invite to='x@example.org'/></x></message>"));
    stage.makes(CRONE1, "other@example.org", "outcast");
    let (since, _, items) = mav(&stage.gets_one(HAG));
    assert_eq!(
        (since, items),
        (next, vec!["other outcast".to_owned()]),
        "an invitation to an open room changes nothing"
    );
}

#[test]
fn xep_0463_no_list_for_whom_there_is_none_and_no_past_before_ones_time() {
    let mut stage = known_to_each_other();
    stage.enters_with("new@example.org/x", "new", &format!("<mav xmlns='{MAV}'/>"));
    let got = stage.gets("new@example.org/x");
    assert_eq!((got[0].kind(), got[0].condition().as_str()), ("error", "forbidden"));
    let version = got.iter().find_map(|one| (one.kind() == "").then(|| mav(one).1).flatten()).unwrap();
    stage.makes(CRONE1, "new@example.org", "member");
    stage.leaves("new@example.org/x");
    stage.forget();
    stage.enters_with("new@example.org/x", "new", &format!("<mav xmlns='{MAV}' since='{version}'/>"));
    assert_eq!(stage.gets("new@example.org/x")[0].condition(), "forbidden");
}

fn token(stage: &mut Stage, who: &str, attrs: &str) -> String {
    stage.asks(who, "set", &format!("<request xmlns='{TOKEN}'{attrs}/>")).payload().text()
}

fn members_only() -> Stage {
    let mut stage = Stage::new();
    stage.sets("membersonly", "1");
    says_that_it_can(&mut stage, TOKEN);
    stage
}

fn with_password(stage: &mut Stage, who: &str, password: &str) -> stage::Got {
    stage.forget();
    stage.enters_with(who, who.split('@').next().unwrap(), &format!("<password>{password}</password>"));
    stage.gets(who).into_iter().find(|got| got.kind() != "groupchat" && got.nick() != "firstwitch").unwrap()
}

#[test]
fn xep_0488_a_token_makes_a_member_as_often_as_it_says() {
    let mut stage = members_only();
    let text = token(&mut stage, CRONE1, " counter='1' delay='600'");
    assert_eq!(with_password(&mut stage, HAG, "wrong").condition(), "registration-required");
    assert_eq!(with_password(&mut stage, HAG, &text).standing(), "member/participant hag66@example.org/pda");
    stage.leaves(HAG);
    assert_eq!(with_password(&mut stage, HAG, &text).kind(), "", "who is a member needs no token");
    let refused = with_password(&mut stage, "new@example.org/x", &text);
    assert_eq!(refused.condition(), "not-authorized");
    assert!(refused.child("error", wire::ns::CLIENT).unwrap().child("expired-token", TOKEN).is_some());
}

#[test]
fn xep_0488_a_token_ends_and_outlives_a_restart() {
    let mut stage = members_only();
    stage.sets("persistentroom", "1");
    let text = token(&mut stage, CRONE1, " delay='600'");
    let other = token(&mut stage, CRONE1, " counter='3'");
    stage.restarts();
    assert_eq!(with_password(&mut stage, HAG, &text).kind(), "");
    stage.wait(600);
    assert_eq!(with_password(&mut stage, "late@example.org/x", &text).condition(), "not-authorized");
    assert_eq!(with_password(&mut stage, "late@example.org/x", &other).kind(), "");
    let list = stage.asks(CRONE1, "get", &format!("<tokens xmlns='{TOKEN}'/>")).payload();
    let tokens: Vec<_> = list.children().map(|token| (token.text(), token.attr("counter"))).collect();
    assert_eq!(tokens, [(other, Some("2"))]);
}

#[test]
fn xep_0488_tokens_are_made_and_revoked_by_who_may() {
    let mut stage = members_only();
    stage.makes(CRONE1, HAG, "member");
    stage.enters(HAG, "thirdwitch");
    let ask = format!("<request xmlns='{TOKEN}'/>");
    assert_eq!(stage.asks(HAG, "set", &ask).refused(), "forbidden");
    stage.sets("allowinvites", "1");
    let (theirs, own) = (token(&mut stage, CRONE1, ""), token(&mut stage, HAG, ""));
    let list = |stage: &mut Stage, who: &str| {
        let list = stage.asks(who, "get", &format!("<tokens xmlns='{TOKEN}'/>")).payload();
        list.children().map(Element::text).collect::<Vec<_>>()
    };
    assert_eq!((list(&mut stage, HAG), list(&mut stage, CRONE1).len()), (vec![own.clone()], 2));
    let revoke = |text: &str| format!("<revoke xmlns='{TOKEN}'>{text}</revoke>");
    assert_eq!(stage.asks(HAG, "set", &revoke(&theirs)).refused(), "item-not-found");
    stage.asks(CRONE1, "set", &revoke(&own)).is_result();
    assert_eq!(list(&mut stage, HAG), Vec::<String>::new());
    assert_eq!(stage.asks("new@example.org/x", "set", &revoke(&theirs)).refused(), "forbidden");
    assert_eq!(with_password(&mut stage, "new@example.org/x", &own).condition(), "registration-required");
    stage.configures(
        CRONE1,
        &[("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "cauldron")],
    );
    assert_eq!(stage.asks(CRONE1, "set", &ask).refused(), "not-allowed");
}

#[test]
fn xep_0500_who_speaks_too_fast_waits_whatever_the_name_and_admins_do_not() {
    let mut stage = Stage::coven();
    let form = stage.owner(CRONE1, "get", "").payload();
    let mut fields = form.child("x", "jabber:x:data").unwrap().children();
    let field = fields.find(|field| field.attr("var") == Some("muc#roomconfig_slow_mode_duration")).unwrap();
    let validate = field.child("validate", "http://jabber.org/protocol/xdata-validate").unwrap();
    assert_eq!((field.attr("type"), validate.attr("datatype")), (Some("text-single"), Some("xs:integer")));
    stage.configures(CRONE1, &[("muc#roomconfig_slow_mode_duration", "20")]);
    assert_eq!(stage.gets_one(HAG).codes(), [104]);
    let query = stage.asks(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>").payload();
    let info = query.child("x", "jabber:x:data").and_then(xeps::form::Form::parse).unwrap();
    assert_eq!(info.value("muc#roominfo_slow_mode_duration"), Some("20"));
    stage.forget();

    stage.says(HAG, "When shall we three meet again");
    stage.forget();
    stage.leaves(HAG);
    stage.enters("hag66@example.org/other", "another");
    stage.forget();
    stage.says("hag66@example.org/other", "in thunder");
    let refused = stage.gets_one("hag66@example.org/other");
    let error = refused.child("error", wire::ns::CLIENT).unwrap();
    assert_eq!((refused.condition().as_str(), error.attr("type")), ("policy-violation", Some("wait")));
    assert!(error.children().any(|child| child.name() == "text" && child.text().contains("20 seconds")));
    stage.nobody_gets_anything();
    let typing = "<message type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>";
    stage.sends("hag66@example.org/other", typing);
    stage.says(WISER, "lightning");
    stage.says(WISER, "or in rain?");
    assert_eq!(stage.gets(CRONE1).len(), 3, "chat states and admins are free");
    stage.wait(20);
    stage.says("hag66@example.org/other", "in thunder");
    assert_eq!(stage.gets_one(CRONE1).body(), "in thunder");
    assert_eq!(stage.submits(CRONE1, &[("muc#roomconfig_slow_mode_duration", "-1")]).refused(), "not-acceptable");
}

#[test]
fn xep_0513_owners_say_who_may_mention_whom() {
    let mut stage = Stage::coven();
    says_that_it_can(&mut stage, MENTIONS);
    let asked = stage.asks(HAG, "get", &format!("<query xmlns='{MENTIONS}'/>"));
    assert_eq!(
        (asked.field("mentions#count"), asked.field("mentions#individual")),
        (vec!["20".into()], vec!["participants".into()])
    );
    let set = |fields: &[(&str, &str)]| {
        let fields: Vec<_> = [("FORM_TYPE", MENTIONS)].into_iter().chain(fields.iter().copied()).collect();
        format!("<query xmlns='{MENTIONS}'>{}</query>", form(&fields))
    };
    assert_eq!(stage.asks(WISER, "set", &set(&[("mentions#count", "1")])).refused(), "forbidden");
    stage.asks(CRONE1, "set", &set(&[("mentions#count", "2"), ("mentions#hats", "none")])).is_result();
    for who in [CRONE1, WISER, HAG] {
        let told = stage.gets_one(who).child("x", "jabber:x:data").and_then(|x| xeps::form::Form::parse(&x)).unwrap();
        let vars: Vec<_> = told.fields.iter().filter_map(|field| field.var.as_deref()).collect();
        assert_eq!(vars, ["FORM_TYPE", "mentions#count", "mentions#hats"], "what has changed and nothing else");
    }
    assert_eq!(stage.asks(CRONE1, "set", &set(&[("mentions#count", "many")])).refused(), "not-acceptable");
}

#[test]
fn xep_0513_mentions_that_are_not_allowed_do_not_arrive() {
    let mut stage = Stage::coven();
    let mention = |attrs: &str| format!("<mention xmlns='{MENTIONS}'{attrs}/>");
    let one = mention(" occupantid='x'");
    let all = mention(" mentions='urn:xmpp:mentions:0#channel'");
    let arrives = |stage: &mut Stage, who: &str, mentions: &str| {
        stage.forget();
        stage.sends(who, &format!("<message type='groupchat'><body>Hail</body>{mentions}</message>"));
        stage.gets_one(CRONE1).element().children_named("mention", MENTIONS).count()
    };
    assert_eq!(arrives(&mut stage, HAG, &format!("{one}{all}")), 1, "the whole room is for moderators");
    assert_eq!(arrives(&mut stage, WISER, &format!("{one}{all}")), 2);
    assert_eq!(arrives(&mut stage, WISER, &one.repeat(20)), 20);
    assert_eq!(arrives(&mut stage, WISER, &one.repeat(21)), 0);
    stage.configures(CRONE1, &[("mentions#individual", "none"), ("mentions#associations", "moderators")]);
    assert_eq!(arrives(&mut stage, WISER, &one), 0);
    let admins = mention(" mentions='urn:xmpp:mentions:0#admin'");
    assert_eq!(arrives(&mut stage, HAG, &admins), 0);
    assert_eq!(arrives(&mut stage, WISER, &admins), 1);
    assert_eq!(arrives(&mut stage, HAG, &mention(" mentions='urn:xmpp:mentions:0#space'")), 1, "between clients");
}

#[test]
fn xep_0272_a_call_in_the_room_is_prepared_and_joined() {
    let mut stage = Stage::coven();
    let muji = "<muji xmlns='urn:xmpp:jingle:muji:0'><preparing/></muji>";
    stage.sends(HAG, &format!("<presence to='{ROOM}/thirdwitch'>{muji}</presence>"));
    for who in [CRONE1, WISER, HAG] {
        let got = stage.gets_one(who).child("muji", "urn:xmpp:jingle:muji:0").unwrap();
        assert!(got.child("preparing", "urn:xmpp:jingle:muji:0").is_some());
    }
    stage.sends("late@example.org/x", &format!("<presence to='{ROOM}/late'><x xmlns='{MUC}'/>{muji}</presence>"));
    let seen = stage.gets("late@example.org/x");
    assert_eq!(seen.iter().filter(|got| got.child("muji", "urn:xmpp:jingle:muji:0").is_some()).count(), 2);
    // A session is offered to each of the others by way of the room.
    let jingle = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a'><muji xmlns='urn:xmpp:jingle:muji:0'/></jingle>";
    stage.forget();
    stage.sends(HAG, &format!("<iq type='set' id='j' to='{ROOM}/firstwitch'>{jingle}</iq>"));
    let offered = stage.gets_one(CRONE1);
    assert!(offered.nick() == "thirdwitch" && offered.child("jingle", "urn:xmpp:jingle:1").is_some());
}

#[test]
fn section_7_10_a_registered_nickname_is_the_only_one_where_nicknames_are_locked() {
    let mut stage = Stage::coven();
    stage.configures(CRONE1, &[("oriole#roomconfig_locknicknames", "1")]);
    stage.forget();
    let kind = "http://jabber.org/protocol/muc#register";
    let fields = form(&[("FORM_TYPE", kind), ("muc#register_roomnick", "hecate")]);
    stage.asks(HAG, "set", &format!("<query xmlns='jabber:iq:register'>{fields}</query>")).is_result();
    let told = stage.gets(CRONE1);
    let renamed: Vec<_> = told.iter().map(|got| (got.nick(), got.kind(), got.codes())).collect();
    assert!(renamed.contains(&("thirdwitch".to_owned(), "unavailable", vec![303])), "{renamed:?}");
    assert!(renamed.contains(&("hecate".to_owned(), "", vec![210])), "{renamed:?}");
    stage.forget();
    stage.sends(HAG, &format!("<presence to='{ROOM}/thirdwitch'/>"));
    assert_eq!(stage.gets_one(HAG).condition(), "not-acceptable");
    stage.leaves(HAG);
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    let own = stage.gets(HAG).into_iter().find(|got| got.kind() == "" && got.nick() == "hecate").unwrap();
    assert_eq!(own.codes(), [110, 210]);
    stage.enters("new@example.org/x", "hecate");
    assert_eq!(stage.gets("new@example.org/x")[0].condition(), "conflict");
}
