//! What operators do with rooms: from the command line, and by the commands of the service (XEP-0050).

use crate::stage::{self, CRONE1, ROOM, Stage, config};
use xeps::muc::operate;
use xeps::testing::now_or_never;

const SERVICE: &str = "muc.example.org";
const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

#[test]
fn operators_see_all_rooms_and_destroy_them() {
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
