//! One stream for several pairs of domains (XEP-0220 section 2.6), by a server that really does it: jabberd2, whose `s2s` uses
//! one connection for all domains that it finds at the same place.

use crate::jabberd::SECRET;
use crate::oriole::strip;
use crate::others::{installed, names};
use crate::stage::{House, Quality, Stage, address, hears, send};
use crate::support::{Client, component, skip};
use std::collections::HashSet;

/// Someone behind a component talks to a user, who answers.
fn talks(component: &mut Client, someone: &str, user: &mut Client) {
    let (text, to) = (format!("{someone} to {}", user.jid), user.jid.clone());
    component.send(format!("<message type='chat' from='{someone}' to='{to}'><body>{text}</body></message>"));
    let heard = hears(user, &text);
    assert_eq!(heard.attr("from"), Some(someone));
    send(user, someone, &format!("back from {to}"));
    let is_answer = |text: String| text == format!("back from {to}");
    component.find(|one| {
        one.name() == "message" && one.children().any(|child| child.name() == "body" && is_answer(child.text()))
    });
}

#[test]
fn one_stream_of_jabberd_carries_four_pairs_of_domains() {
    if !installed(&["jabberd2-s2s", "jabberd2-router", "dnsmasq"]) {
        return skip("jabberd2 and dnsmasq are needed");
    }
    let stage = Stage::new();
    let [dns, ours, theirs] = [address(), address(), address()];
    let srv = |domain: &str, host: &str| format!("--srv-host=_xmpp-server._tcp.{domain},{host},5269,10,5");
    let records = [
        format!("--host-record=xmpp.verona.example,{ours}"),
        format!("--host-record=xmpp.mantua.example,{theirs}"),
        srv("verona.example", "xmpp.verona.example"),
        srv("venice.example", "xmpp.verona.example"),
        srv("mantua.example", "xmpp.mantua.example"),
        srv("padua.example", "xmpp.mantua.example"),
    ];
    let _names = names(dns, &records);
    let (certificate, key) = stage.certificate("venice.example", Quality::Good);
    let changes = format!(
        "federation.resolver = '{dns}:5353'\nhosts.'venice.example' = {{ certificate = '{}', key = '{}' }}\n",
        certificate.display(),
        key.display()
    );
    let verona = stage.oriole("verona.example", ours, &changes);
    let domains = ["mantua.example", "padua.example"];
    let jabberd = stage.jabberd(&domains, theirs, dns);
    let [mut mantua, mut padua] = domains.map(|domain| component::connect(jabberd.router, &verona.ca, domain, SECRET));
    let mut juliet = verona.user("juliet");
    let venice = House { domain: "venice.example".to_owned(), ..verona };
    let mut portia = venice.user("portia");
    for (component, someone) in [(&mut mantua, "romeo@mantua.example"), (&mut padua, "kate@padua.example")] {
        talks(component, someone, &mut juliet);
        talks(component, someone, &mut portia);
    }
    let lines = venice.oriole().log().lines();
    let proved: Vec<String> =
        lines.iter().map(|line| strip(line)).filter(|line| line.contains("how=\"Dialback\"")).collect();
    let streams: HashSet<&str> =
        proved.iter().filter_map(|line| line.split_once("peer=")?.1.split(' ').next()).collect();
    assert_eq!((proved.len(), streams.len()), (4, 1), "four pairs, one stream: {proved:#?}");
}
