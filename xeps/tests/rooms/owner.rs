//! XEP-0045 section 10, example by example: what owners do with rooms, and what becomes of rooms.

use crate::stage::{self, CRONE1, HAG, ROOM, Stage, USER, WISER, config};
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
