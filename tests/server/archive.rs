//! The archive (XEP-0313) and what it promises: an acknowledged message is in it, whatever happens to those who should have it,
//! and it is in there once.

use crate::support::{Client, Server, user, wait};
use wire::xml::Element;

const SM: &str = "urn:xmpp:sm:3";
const MAM: &str = "urn:xmpp:mam:2";

/// The bodies in the archive of whoever is logged in, with the ids under which they are kept.
pub fn archive(client: &mut Client) -> Vec<(String, String)> {
    let id = client.fresh_id();
    client.send(format!("<iq type='set' id='{id}'><query xmlns='{MAM}'/></iq>"));
    let mut results = Vec::new();
    loop {
        let stanza = client.find(|element| element.attr("id") == Some(&id) || element.child("result", MAM).is_some());
        match stanza.child("result", MAM) {
            Some(result) => results.push((body(result), result.attr("id").unwrap().to_owned())),
            None => return results,
        }
    }
}

fn message(result: &Element) -> &Element {
    let forwarded = result.child("forwarded", "urn:xmpp:forward:0").unwrap();
    forwarded.child("message", "jabber:client").unwrap()
}

fn body(result: &Element) -> String {
    message(result).child("body", "jabber:client").unwrap().text()
}

pub fn archived(message: &Element, by: &str) -> Option<String> {
    let ids = message.children_named("stanza-id", "urn:xmpp:sid:0");
    ids.filter(|id| id.attr("by") == Some(by)).map(|id| id.attr("id").unwrap().to_owned()).next()
}

/// The messages that came from somebody, all pages of them: their ids and their numbers.
pub fn archive_from(client: &mut Client, peer: &str) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    let mut last = None;
    loop {
        let id = client.fresh_id();
        let after = last.take().map(|id: String| format!("<after>{id}</after>")).unwrap_or_default();
        client.send(format!(
            "<iq type='set' id='{id}'><query xmlns='{MAM}' queryid='{id}'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>\
             <field var='with'><value>{peer}</value></field></x>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>50</max>{after}</set></query></iq>"
        ));
        loop {
            let stanza = client.find(|one| one.attr("id") == Some(&id) || one.child("result", MAM).is_some());
            let Some(result) = stanza.child("result", MAM) else { break };
            let id = result.attr("id").unwrap().to_owned();
            last = Some(id.clone());
            // What went the other way is there, too.
            if message(result).attr("from").is_some_and(|from| from.starts_with(peer)) {
                all.push((id, body(result).parse().unwrap()));
            }
        }
        if last.is_none() {
            return all;
        }
    }
}

/// What was handed to a connected client and never read is not lost when the server is killed.
#[test]
fn an_acknowledged_message_to_a_connected_client_survives_kill_9() {
    let mut server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.send("<presence/>");
    juliet.settled();
    let mut romeo = server.log_in("romeo", "garden");
    romeo.send(format!("<enable xmlns='{SM}'/>"));
    romeo.find(|element| element.is("enabled", SM));
    let expected: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    for number in &expected {
        romeo.send(format!("<message to='{}' type='chat'><body>{number}</body></message>", user("juliet")));
    }
    romeo.send(format!("<r xmlns='{SM}'/>"));
    assert_eq!(romeo.find(|element| element.is("a", SM)).attr("h"), Some("25"));
    server.kill9();
    drop(juliet);
    server.restart();
    for name in ["juliet", "romeo"] {
        let found: Vec<String> = archive(&mut server.log_in(name, "later")).into_iter().map(|(body, _)| body).collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// A message that comes back from a connection that broke is delivered again with the id that it has in the archive already.
#[test]
fn a_message_that_is_delivered_twice_is_archived_once() {
    let server = Server::start();
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = server.log_in("juliet", "balcony");
    juliet.send("<presence/>");
    juliet.settled();
    juliet.send(format!("<enable xmlns='{SM}'/>"));
    juliet.find(|element| element.is("enabled", SM));
    let mut romeo = server.log_in("romeo", "garden");
    romeo.send(format!("<message to='{}' type='chat'><body>Hark!</body></message>", user("juliet")));
    romeo.settle();
    let first = juliet.find(|element| element.name() == "message");
    juliet.drop_connection();
    let mut juliet = server.log_in("juliet", "chamber");
    juliet.send("<presence/>");
    let second = juliet.find(|element| element.name() == "message");
    let id = archived(&first, &user("juliet")).expect("it is archived");
    assert_eq!(archived(&second, &user("juliet")), Some(id.clone()));
    assert_eq!(archive(&mut juliet), [("Hark!".to_owned(), id)]);
}

/// An operator gives one account less room than its host has for everybody; that survives a move to another store.
#[test]
fn an_account_has_limits_of_its_own_that_move_along() {
    let mut server = Server::configured("default_host.archive.max_messages = 500");
    server.add_user("juliet");
    server.add_user("romeo");
    let told = |server: &Server, account: &str, options: &[&str]| {
        let output = server.oriole(&[&["user", "archive", account], options].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let printed = |text: &str| (Some(0), text.to_owned());
    let juliet = user("juliet");
    assert_eq!(told(&server, &juliet, &[]), printed("expiry: 365d (as the host)\nmax_messages: 500 (as the host)\n"));
    assert_eq!(told(&server, &user("nobody"), &[]).0, Some(1));
    let own = "expiry: 365d (as the host)\nmax_messages: 2\n";
    assert_eq!(told(&server, &juliet, &["--max-messages", "2"]), printed(own));

    let mut romeo = server.log_in("romeo", "garden");
    for line in ["one", "two", "three", "four"] {
        romeo.send(format!("<message to='{juliet}' type='chat'><body>{line}</body></message>"));
    }
    romeo.settle();
    let kept = |session: &mut _| archive(session).into_iter().map(|(body, _)| body).collect::<Vec<_>>();
    assert_eq!(kept(&mut server.log_in("juliet", "balcony")), ["three", "four"]);
    assert_eq!(kept(&mut romeo).len(), 4, "the host's limit holds for the others");

    let file = server.scratch().join("export");
    let file = file.to_str().unwrap();
    server.sigterm();
    server.wait();
    assert!(server.oriole(&["store", "export", file]).status.success());
    std::fs::remove_dir_all(server.data_dir()).unwrap();
    let imported = server.oriole(&["store", "import", file]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    assert_eq!(told(&server, &juliet, &[]), printed(own));
    assert_eq!(
        told(&server, &juliet, &["--max-messages", "host", "--expiry", "1h"]),
        printed("expiry: 1h\nmax_messages: 500 (as the host)\n")
    );
}

/// The server goes round and removes what is too old of accounts that nobody uses.
#[test]
fn what_is_too_old_goes_without_anybody_touching_it() {
    let mut server = Server::configured("default_host.archive.expiry = '1s'");
    server.add_user("juliet");
    server.add_user("romeo");
    let mut romeo = server.log_in("romeo", "garden");
    romeo.send(format!("<message to='{}' type='chat'><body>Arise, fair sun</body></message>", user("juliet")));
    romeo.settle();
    let kept = |server: &Server| {
        let file = server.scratch().join("export");
        let exported = server.oriole(&["store", "export", file.to_str().unwrap()]);
        assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        text.lines().filter(|line| line.contains("\"kind\":\"archive\"")).count()
    };
    assert_eq!(kept(&server), 2, "at both");
    std::thread::sleep(std::time::Duration::from_secs(1));
    // It begins with a round.
    server.sigterm();
    server.wait();
    server.restart();
    wait::until(|| (kept(&server) == 0).then_some(())).expect("the round");
}
