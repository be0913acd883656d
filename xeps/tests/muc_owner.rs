//! XEP-0045 section 10, example by example: what owners do with rooms, and what becomes of rooms.

#[path = "rooms/stage.rs"]
mod stage;

use stage::{CRONE1, HAG, ROOM, Stage, USER, WISER, config};
use std::time::Duration;
use xeps::muc::{Creators, Preset, Rate};
use xeps::testing::now_or_never;

const SERVICE: &str = "muc.example.org";
const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

#[test]
fn example_152_rooms_are_made_by_whom_the_operator_lets() {
    let mut stage = Stage::empty();
    stage.enters("stranger@example.net/x", "x");
    assert_eq!(stage.gets_one("stranger@example.net/x").condition(), "not-allowed");
    let mut stage = Stage::with(xeps::muc::Config { creators: Creators::Nobody, ..config() });
    stage.enters(CRONE1, "x");
    assert_eq!(stage.gets_one(CRONE1).condition(), "not-allowed");
    let rate = Rate { count: 2, window: Duration::from_secs(60) };
    let mut stage =
        Stage::with(xeps::muc::Config { creators: Creators::Anyone, max_rooms: 3, creations: rate, ..config() });
    let mut enter = |who: &str, room: &str| {
        stage.sends(who, &format!("<presence to='{room}@{SERVICE}/x'><x xmlns='{}'/></presence>", stage::MUC));
        stage.gets(who)[0].kind().to_owned()
    };
    assert_eq!(["a", "b", "c"].map(|room| enter("stranger@example.net/x", room)), ["", "", "error"]);
    assert_eq!(["c", "d"].map(|room| enter(CRONE1, room)), ["", "error"], "no more than three in all");
}

#[test]
fn example_153_to_155_an_instant_room() {
    let mut stage = Stage::empty();
    stage.enters(CRONE1, "firstwitch");
    let got = stage.gets(CRONE1);
    assert_eq!(
        (got[0].codes(), got[0].standing().as_str()),
        (vec![110, 201], "owner/moderator crone1@example.org/desktop")
    );
    stage.configures(CRONE1, &[]);
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets(HAG).last().unwrap().kind(), "groupchat");
}

#[test]
fn example_156_to_161_a_reserved_room() {
    let mut stage = Stage::empty();
    stage.enters(CRONE1, "firstwitch");
    let form = stage.owner(CRONE1, "get", "");
    assert_eq!(form.field("muc#roomconfig_roomowners"), ["crone1@example.org"]);
    for var in [
        "muc#roomconfig_roomname",
        "muc#roomconfig_allowpm",
        "muc#roomconfig_presencebroadcast",
        "muc#maxhistoryfetch",
        "oriole#roomconfig_preset",
    ] {
        form.field(var);
    }
    let wrong = [("muc#roomconfig_passwordprotectedroom", "1"), ("muc#roomconfig_roomsecret", "")];
    assert_eq!(stage.submits(CRONE1, &wrong).refused(), "not-acceptable");
    stage.enters(HAG, "thirdwitch");
    assert_eq!(stage.gets_one(HAG).condition(), "item-not-found");
    stage.configures(
        CRONE1,
        &[
            ("muc#roomconfig_roomname", "A Dark Cave"),
            ("muc#roomconfig_roomadmins", "wiccarocks@example.org|hecate@example.org"),
            ("muc#roomconfig_roomowners", "crone1@example.org"),
        ],
    );
    assert_eq!(stage.owner(CRONE1, "get", "").field("muc#roomconfig_roomname"), ["A Dark Cave"]);
    assert_eq!(stage.lists(CRONE1, "<item affiliation='admin'/>").items().len(), 2);
}

#[test]
fn example_162_what_is_never_configured_is_not_to_be() {
    for end in ["<x xmlns='jabber:x:data' type='cancel'/>", ""] {
        let mut stage = Stage::empty();
        stage.enters(CRONE1, "firstwitch");
        stage.forget();
        if end.is_empty() {
            stage.leaves(CRONE1);
        } else {
            stage.owner(CRONE1, "set", end).is_result();
        }
        assert_eq!(stage.gets_one(CRONE1).kind(), "unavailable");
        assert_eq!(stage.asks(HAG, "get", INFO).refused(), "item-not-found");
        assert_eq!(stage.hosted.awake(), 0);
    }
    let mut stage = Stage::empty();
    stage.enters(CRONE1, "firstwitch");
    stage.restarts();
    assert_eq!(stage.asks(HAG, "get", INFO).refused(), "item-not-found");
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    assert!(stage.gets(HAG)[0].standing().starts_with("owner"), "nothing is left of it");
}

#[test]
fn example_163_to_166_later_configuration() {
    let mut stage = Stage::coven();
    for who in [WISER, HAG] {
        assert_eq!(stage.owner(who, "get", "").refused(), "forbidden");
        assert_eq!(stage.submits(who, &[("muc#roomconfig_roomname", "Mine")]).refused(), "forbidden");
    }
    stage.owner(CRONE1, "set", "<x xmlns='jabber:x:data' type='cancel'/>").is_result();
    stage.nobody_gets_anything();
    stage.configures(CRONE1, &[("muc#roomconfig_moderatedroom", "1")]);
    stage.configures(CRONE1, &[("muc#roomconfig_roomname", "Cave")]);
    assert_eq!(stage.owner(CRONE1, "get", "").field("muc#roomconfig_moderatedroom"), ["1"]);
}

#[test]
fn example_167_to_170_lists_in_the_form() {
    let mut stage = Stage::coven();
    stage.configures(CRONE1, &[("muc#roomconfig_roomadmins", "hag66@example.org")]);
    let shown: Vec<_> = stage.gets(CRONE1).iter().map(|got| (got.nick(), got.standing())).collect();
    assert!(shown.contains(&("thirdwitch".to_owned(), "admin/moderator hag66@example.org/pda".to_owned())));
    assert!(shown.contains(&("secondwitch".to_owned(), "none/participant wiccarocks@example.org/laptop".to_owned())));
    stage.forget();
    stage.configures(CRONE1, &[("muc#roomconfig_roomowners", "crone1@example.org|hag66@example.org")]);
    assert_eq!(stage.gets_one(WISER).standing(), "owner/moderator");
    assert_eq!(stage.submits(CRONE1, &[("muc#roomconfig_roomowners", "")]).refused(), "not-acceptable");
}

#[test]
fn example_171_occupants_are_told_of_the_configuration() {
    let mut stage = Stage::coven();
    for (var, value, codes) in [
        ("enablelogging", "1", vec![170]),
        ("enablelogging", "0", vec![171]),
        ("whois", "anyone", vec![172]),
        ("whois", "moderators", vec![173]),
        ("roomname", "Cave", vec![104]),
    ] {
        stage.configures(CRONE1, &[(&format!("muc#roomconfig_{var}"), value)]);
        let got = stage.gets_one(HAG);
        assert_eq!((got.nick().as_str(), got.kind(), got.codes()), ("", "groupchat", codes));
        stage.forget();
    }
    stage.configures(CRONE1, &[("muc#roomconfig_roomname", "Cave")]);
    stage.nobody_gets_anything();
}

#[test]
fn section_10_2_a_room_that_becomes_members_only_keeps_its_members() {
    let mut stage = Stage::coven();
    stage.configures(CRONE1, &[("muc#roomconfig_membersonly", "1")]);
    assert_eq!(stage.gets_one(HAG).codes(), [110, 322]);
    let told: Vec<_> = stage.gets(WISER).iter().map(|got| got.codes()).collect();
    assert_eq!(told, [vec![322], vec![104]]);
}

#[test]
fn example_172_to_181_owners() {
    let mut stage = Stage::coven();
    assert_eq!(stage.admin(WISER, "<item affiliation='owner' jid='hag66@example.org'/>").refused(), "forbidden");
    stage.makes(CRONE1, HAG, "owner");
    assert_eq!(stage.gets(HAG)[0].standing(), "owner/moderator hag66@example.org/pda");
    assert_eq!(
        stage.lists(CRONE1, "<item affiliation='owner'/>").items(),
        ["owner crone1@example.org", "owner hag66@example.org"]
    );
    stage.forget();
    stage.makes(HAG, CRONE1, "admin");
    assert_eq!(stage.gets_one(WISER).standing(), "admin/moderator crone1@example.org/desktop");
    assert_eq!(stage.admin(HAG, "<item affiliation='member' jid='hag66@example.org'/>").refused(), "conflict");
    let swap =
        "<item affiliation='member' jid='hag66@example.org'/><item affiliation='owner' jid='crone1@example.org'/>";
    stage.admin(HAG, swap).is_result();
    assert_eq!(stage.lists(CRONE1, "<item affiliation='owner'/>").items(), ["owner crone1@example.org"]);
}

#[test]
fn example_186_to_200_admins() {
    let mut stage = Stage::coven();
    assert_eq!(stage.lists(CRONE1, "<item affiliation='admin'/>").items(), ["admin wiccarocks@example.org"]);
    assert_eq!(stage.admin(WISER, "<item affiliation='admin' jid='hag66@example.org'/>").refused(), "forbidden");
    stage
        .admin(
            CRONE1,
            "<item affiliation='admin' jid='hag66@example.org'><reason>A worthy witch indeed!</reason></item>",
        )
        .is_result();
    let got = stage.gets(HAG);
    assert_eq!(got[0].standing(), "admin/moderator hag66@example.org/pda");
    assert_eq!(got[0].item().child("reason", USER).unwrap().text(), "A worthy witch indeed!");
    stage.forget();
    stage.makes(CRONE1, HAG, "none");
    assert_eq!(stage.gets_one(HAG).standing(), "none/participant hag66@example.org/pda");
    stage.makes(WISER, WISER, "member");
    assert_eq!(stage.lists(CRONE1, "<item affiliation='admin'/>").items().len(), 0);
}

#[test]
fn example_201_to_204_a_room_is_destroyed() {
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    stage.says(CRONE1, "farewell");
    stage.forget();
    for who in [WISER, HAG] {
        assert_eq!(stage.owner(who, "set", "<destroy/>").refused(), "forbidden");
    }
    let request = "<destroy jid='darkcave@chat.shakespeare.lit'><reason>Macbeth doth come.</reason></destroy>";
    stage.owner(CRONE1, "set", request).is_result();
    for (who, nick) in [(CRONE1, "firstwitch"), (WISER, "secondwitch"), (HAG, "thirdwitch")] {
        let got = stage.gets_one(who);
        assert_eq!((got.nick().as_str(), got.kind(), got.standing().as_str()), (nick, "unavailable", "none/none"));
        let destroy = got.child("x", USER).unwrap().child("destroy", USER).unwrap().clone();
        assert_eq!(destroy.attr("jid"), Some("darkcave@chat.shakespeare.lit"));
        assert_eq!(destroy.child("reason", USER).unwrap().text(), "Macbeth doth come.");
    }
    assert_eq!(stage.asks(HAG, "get", INFO).refused(), "item-not-found");
    stage.restarts();
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    let got = stage.gets(HAG);
    assert_eq!((got[0].codes(), got.len()), (vec![110, 201], 2), "a new room has nothing of the old one");
    assert_eq!(stage.lists(HAG, "<item affiliation='admin'/>").items().len(), 0);
}

#[test]
fn section_4_2_a_temporary_room_ends_with_its_last_occupant_and_a_lasting_one_sleeps() {
    let mut stage = Stage::coven();
    for who in [CRONE1, WISER, HAG] {
        stage.leaves(who);
    }
    assert_eq!(stage.asks(HAG, "get", INFO).refused(), "item-not-found");
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    stage.makes(CRONE1, HAG, "member");
    stage.says(CRONE1, "remember");
    for who in [CRONE1, WISER, HAG] {
        stage.leaves(who);
    }
    assert_eq!(stage.hosted.awake(), 0);
    stage.restarts();
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    let got = stage.gets(HAG);
    assert_eq!((got[0].standing().as_str(), got[0].codes()), ("member/participant hag66@example.org/pda", vec![110]));
    assert_eq!(got[1].body(), "remember");
    assert_eq!(stage.hosted.awake(), 1);
}

#[test]
fn what_is_left_of_a_room_by_an_interrupted_destruction_is_no_room() {
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    use xeps::store::Store;
    now_or_never(stage.hosted.store.forget(ROOM)).unwrap();
    stage.restarts();
    assert_eq!(stage.asks(HAG, "get", INFO).refused(), "item-not-found");
    assert_eq!(now_or_never(stage.hosted.store.list(SERVICE, "room", None, 9)).unwrap(), []);
}

#[test]
fn templates_are_chosen_in_the_form_or_by_the_operator() {
    let mut stage = Stage::coven();
    stage.configures(CRONE1, &[("oriole#roomconfig_preset", "team")]);
    let has = stage.features(ROOM);
    for feature in ["muc_hidden", "muc_membersonly", "muc_nonanonymous", "muc_persistent"] {
        assert!(has.iter().any(|one| one == feature), "{feature}");
    }
    assert_eq!(stage.owner(CRONE1, "get", "").field("oriole#roomconfig_preset"), ["team"]);
    let mut stage = Stage::with(xeps::muc::Config { preset: Some(Preset::Announcement), locking: false, ..config() });
    stage.enters(CRONE1, "firstwitch");
    stage.enters(HAG, "thirdwitch");
    assert!(
        stage.gets(HAG).iter().any(|got| got.0.kind.name() == "presence" && got.standing().starts_with("none/visitor"))
    );
    let mut stage = Stage::with(xeps::muc::Config { persistent_rooms: false, ..config() });
    stage.enters(CRONE1, "firstwitch");
    assert_eq!(stage.submits(CRONE1, &[("oriole#roomconfig_preset", "public")]).refused(), "not-acceptable");
}

#[test]
fn xep_0307_unique_names() {
    let mut stage = Stage::empty();
    let ask = "<unique xmlns='http://jabber.org/protocol/muc#unique'/>";
    let one = stage.asks_at(CRONE1, SERVICE, "get", ask).payload().text();
    assert!(!one.is_empty() && one != stage.asks_at(CRONE1, SERVICE, "get", ask).payload().text());
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
    let all = read(&mut stage, "new@example.org/x", "");
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
    assert!(stage.asks(HAG, "get", "<query xmlns='urn:xmpp:mam:2'/>").payload().child("x", "jabber:x:data").is_some());
    stage.asks(HAG, "get", "<metadata xmlns='urn:xmpp:mam:2'/>").is_result();
    stage.sets("membersonly", "1");
    assert_eq!(stage.asks("new@example.org/x", "set", &ask("")).refused(), "forbidden");
    assert_eq!(read(&mut stage, "wiccarocks@example.org/phone", "").len(), 2, "members need not be inside");
}

#[test]
fn an_archive_forgets_what_has_expired() {
    let expiry = Some(Duration::from_secs(3600));
    let mut stage = Stage::with(xeps::muc::Config { archive_expiry: expiry, locking: false, ..config() });
    stage.enters(CRONE1, "firstwitch");
    stage.sets("persistentroom", "1");
    stage.says(CRONE1, "old");
    stage.wait(3000);
    stage.says(CRONE1, "new");
    stage.wait(1000);
    stage.enters(HAG, "thirdwitch");
    let bodies: Vec<_> = stage.gets(HAG).iter().map(|got| got.body()).filter(|body| !body.is_empty()).collect();
    assert_eq!(bodies, ["new"]);
    stage.restarts();
    stage.asks(HAG, "get", INFO).is_result();
    use xeps::store::Store;
    let log = xeps::store::LogKey::new(ROOM, "archive");
    assert_eq!(now_or_never(stage.hosted.store.summary(log)).unwrap().entries, 1);
}

#[test]
fn an_owner_may_have_a_room_forget_sooner_than_its_service() {
    let expiry = Some(Duration::from_secs(30 * 86_400));
    let mut stage = Stage::with(xeps::muc::Config { archive_expiry: expiry, locking: false, ..config() });
    stage.enters(CRONE1, "firstwitch");
    stage.configures(CRONE1, &[("muc#roomconfig_persistentroom", "1"), ("oriole#roomconfig_archivedays", "2")]);
    stage.says(CRONE1, "old");
    stage.wait(86_400);
    stage.says(CRONE1, "new");
    stage.wait(86_401);
    stage.forget();
    let ask = "<query xmlns='urn:xmpp:mam:2'/>";
    stage.asks(CRONE1, "set", ask).is_result();
    let page: Vec<String> = stage.gets(CRONE1).iter().map(|got| got.xml()).collect();
    assert!(!page.iter().any(|xml| xml.contains("old")) && page.iter().any(|xml| xml.contains("new")), "{page:?}");
    stage.enters(HAG, "thirdwitch");
    let bodies: Vec<_> = stage.gets(HAG).iter().map(|got| got.body()).filter(|body| !body.is_empty()).collect();
    assert_eq!(bodies, ["new"]);
    stage.restarts();
    stage.asks(HAG, "get", INFO).is_result();
    use xeps::store::Store;
    let log = xeps::store::LogKey::new(ROOM, "archive");
    assert_eq!(now_or_never(stage.hosted.store.summary(log)).unwrap().entries, 1, "and from the disk it is gone");
}

#[test]
fn an_owner_says_who_may_read_what_was_said_before() {
    let mut stage = Stage::coven();
    stage.says(CRONE1, "Double, double");
    stage.makes(CRONE1, "hecate@example.org", "member");
    stage.forget();
    let ask = "<query xmlns='urn:xmpp:mam:2'/>";
    let history = |stage: &mut Stage, who: &str| {
        stage.enters(who, "visitor");
        let heard = stage.gets(who).iter().any(|got| got.body() == "Double, double");
        stage.leaves(who);
        stage.forget();
        heard
    };
    let (stranger, member) = ("new@example.org/x", "hecate@example.org/broom");
    for (readers, strangers, members) in [("anyone", true, true), ("members", false, true), ("admins", false, false)] {
        stage.configures(CRONE1, &[("oriole#roomconfig_archivereaders", readers)]);
        stage.forget();
        for (who, may) in [(stranger, strangers), (member, members), (CRONE1, true)] {
            let answer = stage.asks(who, "set", ask);
            match may {
                true => answer.is_result(),
                false => assert_eq!(answer.refused(), "forbidden", "{who} {readers}"),
            }
            stage.forget();
        }
        assert_eq!(history(&mut stage, stranger), strangers, "{readers}");
    }
}

#[test]
fn xep_0486_a_room_has_a_picture() {
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    let card = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>aGVsbG8=</BINVAL></PHOTO></vCard>";
    assert_eq!(stage.asks(WISER, "set", card).refused(), "forbidden");
    stage.asks(CRONE1, "set", card).is_result();
    let hash = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
    let got = stage.gets(HAG);
    assert!(got[0].nick().is_empty() && got[0].xml().contains(hash));
    assert_eq!(got[1].codes(), [104]);
    stage.restarts();
    stage.forget();
    stage.enters(HAG, "thirdwitch");
    assert!(stage.gets(HAG)[0].xml().contains(hash));
    assert!(stage::Got(stage.asks(HAG, "get", "<vCard xmlns='vcard-temp'/>").0).xml().contains("aGVsbG8="));
    assert!(stage::Got(stage.asks(HAG, "get", INFO).0).xml().contains(hash));
}

#[test]
fn operators_see_all_rooms_and_destroy_them() {
    use xeps::muc::operate;
    let mut stage = Stage::coven();
    stage.configures(
        CRONE1,
        &[
            ("muc#roomconfig_publicroom", "0"),
            ("muc#roomconfig_roomname", "A Dark Cave"),
            ("muc#roomconfig_roomsecret", "cauldronburn"),
        ],
    );
    stage.forget();
    let (host, room) = ("example.org".parse().unwrap(), ROOM.parse().unwrap());
    let listed = now_or_never(operate::list(&stage.hosted.store, SERVICE)).unwrap();
    assert_eq!(listed, [operate::Listed { address: ROOM.to_owned(), name: "A Dark Cave".to_owned() }]);
    let told = now_or_never(operate::describe(&stage.hosted.store, &room)).unwrap().unwrap();
    assert!(told.contains(&("admins".to_owned(), "wiccarocks@example.org".to_owned())));
    assert!(!told.iter().any(|(_, value)| value == "cauldronburn"));
    let sent = stage.hosted.takes(operate::destruction(&host, &room, Some("Dawn")));
    assert_eq!(sent.iter().filter(|one| one.kind.name() == "presence").count(), 3);
    assert_eq!(now_or_never(operate::list(&stage.hosted.store, SERVICE)).unwrap(), []);
    assert_eq!(now_or_never(operate::remove(&stage.hosted.store, &room)).unwrap(), None);
}

#[test]
fn operators_configure_rooms_that_are_awake_and_rooms_that_are_asleep() {
    use xeps::muc::operate;
    let mut stage = Stage::coven();
    stage.sets("persistentroom", "1");
    stage.forget();
    let (host, room) = ("example.org".parse().unwrap(), ROOM.parse().unwrap());
    let values = |values: &[(&str, &str)]| {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let edit =
        |stage: &Stage, own: &[(&str, &str)]| now_or_never(operate::edit(&stage.hosted.store, &room, &values(own)));
    let awake = edit(&stage, &[("moderatedroom", "1"), ("roomname", "A Dark Cave")]).unwrap();
    assert!(!now_or_never(awake.is_done(&stage.hosted.store)).unwrap());
    let sent = stage.hosted.takes(awake.request(&host));
    assert!(sent.iter().any(|one| one.has_child("x", "http://jabber.org/protocol/muc#user")), "occupants are told");
    assert!(now_or_never(awake.is_done(&stage.hosted.store)).unwrap());
    stage.stops();
    let asleep = edit(&stage, &[("archivedays", "7"), ("publicroom", "0")]).unwrap();
    now_or_never(asleep.write(&stage.hosted.store)).unwrap();
    let told = now_or_never(operate::describe(&stage.hosted.store, &room)).unwrap().unwrap();
    for (name, value) in [("moderatedroom", "1"), ("roomname", "A Dark Cave"), ("publicroom", "0")] {
        assert!(told.contains(&(format!("muc#roomconfig_{name}"), value.to_owned())), "{name}");
    }
    assert!(stage.features(ROOM).contains(&"muc_hidden".to_owned()));
    let refused = |own: &[(&str, &str)]| edit(&stage, own).unwrap_err().to_string();
    assert_eq!(refused(&[("colour", "red")]), "rooms have no \"colour\"");
    assert_eq!(refused(&[("membersonly", "perhaps")]), "the value of a field cannot be read");
    let nowhere = now_or_never(operate::edit(&stage.hosted.store, &"x@muc.example.org".parse().unwrap(), &[]));
    assert!(matches!(nowhere, Err(operate::NotEdited::NoRoom)));
}

/// Runs a command of the service; returns the answer.
fn operates(stage: &mut Stage, who: &str, node: &str, form: &str) -> stage::Answer {
    let command = "http://jabber.org/protocol/commands";
    stage.asks_at(
        who,
        SERVICE,
        "set",
        &format!("<command xmlns='{command}' node='oriole#rooms-{node}'>{form}</command>"),
    )
}

fn filled(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    format!("<x xmlns='jabber:x:data' type='submit'>{}</x>", fields.iter().map(field).collect::<String>())
}

#[test]
fn whoever_administers_the_host_looks_after_its_rooms_by_commands() {
    let prospero = "prospero@example.org/island";
    let admins = vec![wire::jid::BareJid::parse("prospero@example.org").unwrap()];
    let mut stage = Stage::with(xeps::muc::Config { admins, ..config() });
    stage.enters(CRONE1, "firstwitch");
    stage.configures(CRONE1, &[("muc#roomconfig_roomname", "Cave")]);
    stage.forget();
    let list = "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>";
    let commands = |stage: &mut Stage, who: &str| stage.asks_at(who, SERVICE, "get", list).payload().children().count();
    assert_eq!((commands(&mut stage, prospero), commands(&mut stage, CRONE1)), (4, 0));
    assert_eq!(operates(&mut stage, CRONE1, "list", "").refused(), "forbidden");
    let info = "<query xmlns='http://jabber.org/protocol/disco#info' node='oriole#rooms-list'/>";
    assert_eq!(stage.asks_at(CRONE1, SERVICE, "get", info).refused(), "forbidden");
    stage.asks_at(prospero, SERVICE, "get", info).is_result();
    assert_eq!(operates(&mut stage, prospero, "list", "").payload().attr("status"), Some("executing"));
    let listed = operates(&mut stage, prospero, "list", &filled(&[("oriole#after", "")])).payload();
    let item = listed.child("x", "jabber:x:data").unwrap().child("item", "jabber:x:data").unwrap().clone();
    let cells: Vec<_> = item.children().map(|field| field.children().next().unwrap().text()).collect();
    assert_eq!(cells, [ROOM, "Cave", ""]);

    let room = ("oriole#room", ROOM);
    let shown = operates(&mut stage, prospero, "show", &filled(&[room]));
    assert_eq!(shown.field("owners"), ["crone1@example.org"]);
    let form = operates(&mut stage, prospero, "edit", &filled(&[room]));
    assert_eq!(
        (form.field("muc#roomconfig_roomname"), form.field("oriole#room")),
        (vec!["Cave".into()], vec![ROOM.into()])
    );
    let kind = ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig");
    let edit = |value| filled(&[kind, room, ("muc#roomconfig_moderatedroom", value)]);
    assert_eq!(operates(&mut stage, prospero, "edit", &edit("perhaps")).refused(), "not-acceptable");
    operates(&mut stage, prospero, "edit", &edit("1")).is_result();
    stage.delivers();
    assert_eq!(stage.gets_one(CRONE1).codes(), [104]);
    assert!(stage.features(ROOM).contains(&"muc_moderated".to_owned()));
    assert_eq!(
        operates(&mut stage, prospero, "show", &filled(&[("oriole#room", "no@muc.example.org")])).refused(),
        "item-not-found"
    );
    operates(&mut stage, prospero, "destroy", &filled(&[room, ("oriole#reason", "Tempest")])).is_result();
    stage.delivers();
    assert!(stage.gets_one(CRONE1).xml().contains("Tempest"));
    assert_eq!(stage.asks(CRONE1, "get", INFO).refused(), "item-not-found");
}
