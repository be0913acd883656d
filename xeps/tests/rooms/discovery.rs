//! XEP-0045 section 6, example by example, and other ways to find rooms: the search (XEP-0433), and how lively a room is
//! (XEP-0502).

use crate::stage::{self, CRONE1, HAG, ROOM, Stage};
use wire::xml::Element;
use xeps::form::Form;

const SERVICE: &str = "muc.example.org";
const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const SEARCH: &str = "urn:xmpp:channel-search:0:search";

#[test]
fn example_3_and_4_the_service_says_what_it_is() {
    let mut stage = Stage::empty();
    let query = stage.asks_at(HAG, SERVICE, "get", INFO).payload();
    let identity = query.children().next().unwrap().clone();
    assert_eq!((identity.attr("category"), identity.attr("type")), (Some("conference"), Some("text")));
    assert!(stage.features(SERVICE).contains(&stage::MUC.to_owned()));
    assert_eq!(
        stage.asks_at(HAG, SERVICE, "get", "<query xmlns='jabber:iq:unheard-of'/>").refused(),
        "service-unavailable"
    );
}

fn rooms(stage: &mut Stage, set: &str) -> (Vec<String>, Option<String>) {
    let ask = format!("<query xmlns='http://jabber.org/protocol/disco#items'>{set}</query>");
    let query = stage.asks_at(HAG, SERVICE, "get", &ask).payload();
    let items = query.children().filter(|child| child.name() == "item");
    let names = items.map(|item| item.attr("jid").unwrap().split('@').next().unwrap().to_owned()).collect();
    let set = query.child("set", "http://jabber.org/protocol/rsm");
    (names, set.and_then(|set| set.child("count", "http://jabber.org/protocol/rsm")).map(|count| count.text()))
}

#[test]
fn example_5_to_7_public_rooms_are_listed_page_by_page() {
    let mut stage = Stage::empty();
    for name in ["a", "b", "c", "d", "e"] {
        let room = format!("{name}@{SERVICE}");
        stage.sends(CRONE1, &format!("<presence to='{room}/x'><x xmlns='{}'/></presence>", stage::MUC));
        let public = if name == "c" { "0" } else { "1" };
        let form = format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_publicroom'><value>{public}</value></field></x>"
        );
        stage
            .asks_at(
                CRONE1,
                &room,
                "set",
                &format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>"),
            )
            .is_result();
    }
    let page = |inside: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{inside}</set>");
    assert_eq!(rooms(&mut stage, "").0, ["a", "b", "d", "e"]);
    assert_eq!(rooms(&mut stage, &page("<max>2</max>")), (vec!["a".into(), "b".into()], None));
    assert_eq!(rooms(&mut stage, &page("<max>2</max><after>b</after>")).0, ["d", "e"]);
    assert_eq!(rooms(&mut stage, &page("<max>2</max><before/>")), (vec!["d".into(), "e".into()], Some("4".into())));
    assert_eq!(rooms(&mut stage, &page("<max>1</max><before>d</before>")).0, ["b"]);
    assert_eq!(rooms(&mut stage, &page("<max>0</max>")), (vec![], Some("4".into())));
}

#[test]
fn example_8_to_10_a_room_says_what_it_is() {
    let mut stage = Stage::coven();
    stage.configures(
        CRONE1,
        &[("muc#roomconfig_roomname", "A Dark Cave"), ("muc#roomconfig_roomdesc", "The place for all good witches!")],
    );
    stage.sends(CRONE1, "<message type='groupchat'><subject>Spells</subject></message>");
    let query = stage.asks(HAG, "get", INFO).payload();
    assert_eq!(query.children().next().unwrap().attr("name"), Some("A Dark Cave"));
    let form = query.child("x", "jabber:x:data").and_then(xeps::form::Form::parse).unwrap();
    assert_eq!(form.form_type(), Some("http://jabber.org/protocol/muc#roominfo"));
    assert_eq!(form.value("muc#roominfo_description"), Some("The place for all good witches!"));
    assert_eq!((form.value("muc#roominfo_occupants"), form.value("muc#roominfo_subject")), (Some("3"), Some("Spells")));
    let has = stage.features(ROOM);
    for feature in [
        "muc_public",
        "muc_open",
        "muc_unmoderated",
        "muc_semianonymous",
        "muc_unsecured",
        "muc_temporary",
        "urn:xmpp:mam:2",
        "urn:xmpp:fulltext:0",
    ] {
        assert!(has.iter().any(|one| one == feature), "{feature}: {has:?}");
    }
    stage.configures(
        CRONE1,
        &[
            ("muc#roomconfig_publicroom", "0"),
            ("muc#roomconfig_moderatedroom", "1"),
            ("muc#roomconfig_whois", "anyone"),
            ("muc#roomconfig_passwordprotectedroom", "1"),
            ("muc#roomconfig_roomsecret", "x"),
            ("muc#roomconfig_persistentroom", "1"),
            ("muc#roomconfig_mam", "0"),
        ],
    );
    let has = stage.features(ROOM);
    for feature in ["muc_hidden", "muc_moderated", "muc_nonanonymous", "muc_passwordprotected", "muc_persistent"] {
        assert!(has.iter().any(|one| one == feature), "{feature}: {has:?}");
    }
    assert!(!has.iter().any(|one| one.starts_with("urn:xmpp:mam")));
    assert_eq!(stage.asks_at(HAG, "nowhere@muc.example.org", "get", INFO).refused(), "item-not-found");
}

#[test]
fn example_11_to_13_the_occupants_are_listed_where_they_are_not_hidden() {
    let mut stage = Stage::coven();
    let count = |stage: &mut Stage, who: &str| stage.asks(who, "get", ITEMS).payload().children().count();
    assert_eq!(count(&mut stage, "new@example.org/x"), 3);
    stage.sets("publicroom", "0");
    assert_eq!((count(&mut stage, "new@example.org/x"), count(&mut stage, HAG)), (0, 3));
}

#[test]
fn section_6_6_discovery_of_an_occupant() {
    let mut stage = Stage::coven();
    assert_eq!(stage.asks_at("new@example.org/x", &format!("{ROOM}/thirdwitch"), "get", INFO).refused(), "bad-request");
    stage.sends(CRONE1, &format!("<iq to='{ROOM}/thirdwitch' type='get' id='a'>{INFO}</iq>"));
    assert_eq!(stage.gets_one(HAG).nick(), "firstwitch");
}

/// Makes a room that lasts, and leaves it; or stays in it with so many others.
fn room(stage: &mut Stage, name: &str, fields: &[(&str, &str)], guests: usize) {
    let room = format!("{name}@{SERVICE}");
    let enters = |stage: &mut Stage, who: &str, nick: &str| {
        stage.sends(who, &format!("<presence to='{room}/{nick}'><x xmlns='{}'/></presence>", stage::MUC));
    };
    enters(stage, CRONE1, "maker");
    let fields: String = [("muc#roomconfig_persistentroom", "1")]
        .iter()
        .chain(fields)
        .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
        .collect();
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>");
    stage.asks_at(CRONE1, &room, "set", &query).is_result();
    for n in 0..guests {
        enters(stage, &format!("guest{n}@example.org/x"), &format!("guest{n}"));
    }
    if guests == 0 {
        stage.sends(CRONE1, &format!("<presence to='{room}/maker' type='unavailable'/>"));
    }
    stage.forget();
}

fn searched(stage: &mut Stage, fields: &[(&str, &str)], set: &str) -> stage::Answer {
    let fields: String = [("FORM_TYPE", "urn:xmpp:channel-search:0:search-params")]
        .iter()
        .chain(fields)
        .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
        .collect();
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    stage.asks_at(HAG, SERVICE, "get", &format!("<search xmlns='{SEARCH}'>{set}{form}</search>"))
}

fn names(result: &Element) -> Vec<String> {
    let items = result.children_named("item", SEARCH);
    items.map(|item| item.attr("address").unwrap().split('@').next().unwrap().to_owned()).collect()
}

const ADDRESS: (&str, &str) = ("key", "{urn:xmpp:channel-search:0:order}address");

fn town() -> Stage {
    let mut stage = Stage::empty();
    room(&mut stage, "market", &[("muc#roomconfig_roomname", "The Market Square")], 3);
    room(&mut stage, "church", &[("muc#roomconfig_roomdesc", "Square steeple, &lt;no> market")], 0);
    room(&mut stage, "inn", &[("muc#roomconfig_membersonly", "1"), ("muc#roomconfig_whois", "anyone")], 1);
    room(&mut stage, "cellar", &[("muc#roomconfig_publicroom", "0"), ("muc#roomconfig_roomname", "market")], 0);
    stage
}

#[test]
fn xep_0433_rooms_are_found_by_words() {
    let mut stage = town();
    assert!(stage.features(SERVICE).contains(&SEARCH.to_owned()));
    let form = stage.asks_at(HAG, SERVICE, "get", &format!("<search xmlns='{SEARCH}'/>")).payload();
    let form = form.child("x", "jabber:x:data").and_then(Form::parse).unwrap();
    assert_eq!(form.form_type(), Some("urn:xmpp:channel-search:0:search-params"));
    assert_eq!((form.value("sinname"), form.values("types").len()), (Some("true"), 1));

    let mut found = |fields: &[(&str, &str)]| names(&searched(&mut stage, fields, "").payload());
    assert_eq!(found(&[("q", "MARKET")]), ["market", "church"], "the fuller one first; hidden rooms never");
    assert_eq!(found(&[("q", "market steeple")]), ["church"]);
    assert_eq!(found(&[("q", "market"), ("sindescription", "0")]), ["market"]);
    assert_eq!(found(&[("q", "inn"), ("sinaddress", "false")]), Vec::<String>::new());
    assert_eq!(found(&[("all", "1"), ("min_users", "1")]), ["market", "inn"]);
    assert_eq!(found(&[("all", "true"), ADDRESS]), ["church", "inn", "market"]);
    assert_eq!(found(&[("all", "true"), ("types", "xep-0369")]), Vec::<String>::new());

    let result = searched(&mut stage, &[("q", "inn")], "").payload();
    let item = result.child("item", SEARCH).unwrap();
    let said = |name: &str| item.child(name, SEARCH).map(Element::text).unwrap_or_default();
    assert_eq!(["nusers", "is-open", "service-type", "name"].map(said), ["1", "false", "xep-0045", "inn"]);
    assert_eq!(said("anonymity-mode"), "{urn:xmpp:channel-search:0:anonymity}none");
    stage.sends(CRONE1, &format!("<presence to='inn@{SERVICE}/maker' type='unavailable'/>"));
    let result = searched(&mut stage, &[("q", "inn")], "").payload();
    assert_eq!(result.child("item", SEARCH).unwrap().child("nusers", SEARCH).unwrap().text(), "0");
}

#[test]
fn xep_0433_results_come_page_by_page_in_either_order() {
    let mut stage = Stage::empty();
    for (name, guests) in [("e", 0), ("b", 2), ("d", 1), ("a", 0), ("c", 1)] {
        room(&mut stage, name, &[], guests);
    }
    for (order, expected) in [(ADDRESS.1, "abcde"), ("{urn:xmpp:channel-search:0:order}nusers", "bcdae")] {
        let mut page = |inside: &str| {
            let set = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>2</max>{inside}</set>");
            let result = searched(&mut stage, &[("all", "1"), ("key", order)], &set).payload();
            let set = result.child("set", "http://jabber.org/protocol/rsm").unwrap();
            let end = |name: &str| set.child(name, "http://jabber.org/protocol/rsm").map(Element::text);
            (names(&result).concat(), end("first"), end("last"))
        };
        let (mut all, mut last) = (String::new(), None::<String>);
        loop {
            let (some, _, end) = page(&last.map(|last| format!("<after>{last}</after>")).unwrap_or_default());
            all += &some;
            last = end;
            if last.is_none() {
                break;
            }
        }
        assert_eq!(all, expected);
        let (some, first, _) = page("<before/>");
        assert_eq!(some, expected[3..]);
        assert_eq!(page(&format!("<before>{}</before>", first.unwrap())).0, expected[1..3]);
    }
    let count = "<set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set>";
    let result = searched(&mut stage, &[("all", "1"), ADDRESS], count).payload();
    let set = result.child("set", "http://jabber.org/protocol/rsm").unwrap();
    assert_eq!(set.child("count", "http://jabber.org/protocol/rsm").unwrap().text(), "5");
}

#[test]
fn xep_0433_a_search_that_cannot_be_is_refused_for_its_reason() {
    let mut stage = town();
    let mut refused = |fields: &[(&str, &str)], why: &str| {
        let answer = searched(&mut stage, fields, "");
        let error = answer.0.child("error", wire::ns::CLIENT).and_then(|child| child.element()).unwrap();
        assert!(error.child(why, "urn:xmpp:channel-search:0:error").is_some(), "{error:?}");
        format!("{} {}", answer.refused(), error.attr("type").unwrap())
    };
    assert_eq!(refused(&[], "no-search-conditions"), "bad-request cancel");
    assert_eq!(refused(&[("q", "  ")], "invalid-search-terms"), "bad-request modify");
    assert_eq!(refused(&[("q", "x"), ("all", "true")], "conflicting-fields"), "bad-request modify");
    let order = ("key", "{urn:example}colour");
    assert_eq!(refused(&[("q", "x"), order], "invalid-sort-key"), "feature-not-implemented modify");
    for _ in 0..30 {
        searched(&mut stage, &[("q", "x")], "").is_result();
    }
    let answer = searched(&mut stage, &[("q", "x")], "");
    let error = answer.0.child("error", wire::ns::CLIENT).and_then(|child| child.element()).unwrap();
    let limit = error.child("rate-limit", "urn:xmpp:channel-search:0:error").unwrap();
    assert_eq!((error.attr("type"), limit.attr("retry-after")), (Some("wait"), Some("60")));
    stage.wait(60);
    searched(&mut stage, &[("q", "x")], "").is_result();
}

fn room_info(stage: &mut Stage) -> Form {
    let query = stage.asks(HAG, "get", INFO).payload();
    query.child("x", "jabber:x:data").and_then(Form::parse).unwrap()
}

const ACTIVITY: &str = "{urn:xmpp:muc-activity}message-activity";

#[test]
fn xep_0502_a_public_lasting_room_says_how_lively_it_is() {
    let mut stage = Stage::coven();
    assert_eq!(room_info(&mut stage).value(ACTIVITY), None, "not of a temporary room");
    stage.sets("persistentroom", "1");
    assert_eq!(room_info(&mut stage).value(ACTIVITY), Some("0.00"));
    stage.says(HAG, "Double, double");
    stage.says(HAG, "toil and trouble");
    stage.sends(HAG, "<message type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    stage.sends(
        HAG,
        "<message type='groupchat'><body>toil</body><replace xmlns='urn:xmpp:message-correct:0' id='said'/></message>",
    );
    stage.sends(HAG, &format!("<message to='{ROOM}/firstwitch' type='chat'><body>psst</body></message>"));
    assert_eq!(room_info(&mut stage).value(ACTIVITY), Some("2.00"));
    stage.wait(4 * 3600);
    assert_eq!(room_info(&mut stage).value(ACTIVITY), Some("0.50"));
    [HAG, CRONE1, stage::WISER].iter().for_each(|who| stage.leaves(who));
    stage.restarts();
    assert_eq!(room_info(&mut stage).value(ACTIVITY), Some("0.50"), "it is kept while the room sleeps");
    stage.enters(CRONE1, "firstwitch");
    for (var, hides) in [("publicroom", "0"), ("membersonly", "1")] {
        stage.sets(var, hides);
        assert_eq!(room_info(&mut stage).value(ACTIVITY), None, "{var}");
        stage.sets(var, if hides == "0" { "1" } else { "0" });
    }
}

#[test]
fn xep_0307_unique_names() {
    let mut stage = Stage::empty();
    let ask = "<unique xmlns='http://jabber.org/protocol/muc#unique'/>";
    let one = stage.asks_at(CRONE1, SERVICE, "get", ask).payload().text();
    assert!(!one.is_empty() && one != stage.asks_at(CRONE1, SERVICE, "get", ask).payload().text());
}
