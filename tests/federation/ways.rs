//! The way to another server as DNS tells it (RFC 6120 section 3.2, RFC 8305, XEP-0368).

use crate::others::{Process, installed, names};
use crate::stage::{House, Quality, Stage, address, says};
use crate::support::skip;
use socket2::{Domain, Socket, Type};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const NONE: &str = "dnsmasq is needed";

fn srv(service: &str, host: &str, port: u16, priority: u16, weight: u16) -> String {
    format!("--srv-host={service}._tcp.mantua.example,{host}.mantua.example,{port},{priority},{weight}")
}

fn host(name: &str, addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(|address| format!("--host-record={name}.mantua.example,{address}")).collect()
}

/// A house that is led by these records.
fn led(stage: &Stage, changes: &str, records: &[String]) -> (House, Process) {
    let dns = address();
    let names = names(dns, records);
    let changes = format!("federation.resolver = '{dns}:5353'\n{changes}");
    (stage.oriole("verona.example", address(), &changes), names)
}

fn doctor(house: &House) -> String {
    let output = house.oriole().oriole(&["doctor", "mantua.example", "--from", "verona.example"]);
    String::from_utf8(output.stdout).unwrap()
}

/// XEP-0368 section 3: the records of both services are one set, and the lower priority comes first, whichever it is of.
#[test]
fn records_of_both_services_are_tried_in_one_order() {
    if !installed(&["dnsmasq"]) {
        return skip(NONE);
    }
    for (priorities, order, direct) in [
        (
            [20, 10],
            "xmpp.mantua.example port 5270, TLS from the first byte; xmpp.mantua.example port 5269, STARTTLS",
            true,
        ),
        (
            [10, 20],
            "xmpp.mantua.example port 5269, STARTTLS; xmpp.mantua.example port 5270, TLS from the first byte",
            false,
        ),
    ] {
        let stage = Stage::new();
        let theirs = address();
        let [plain, tls] = priorities;
        let records = [srv("_xmpp-server", "xmpp", 5269, plain, 0), srv("_xmpps-server", "xmpp", 5270, tls, 0)];
        let (verona, _names) = led(&stage, "", &[&records[..], &host("xmpp", &[theirs])].concat());
        let mantua = stage.oriole("mantua.example", theirs, "");
        let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
        says(&mut juliet, &mut romeo, "by the better way");
        verona.oriole().log().wait_for(&format!("Tls {{ direct: {direct}")).expect("that way is taken");
        let text = doctor(&verona);
        assert!(text.contains(&format!("to be tried, in this order: {order}")), "{text}");
    }
}

/// RFC 2782: of two records of one priority, the one with all the weight is first; the other one hardly ever.
#[test]
fn weights_decide_among_equals() {
    if !installed(&["dnsmasq"]) {
        return skip(NONE);
    }
    let stage = Stage::new();
    let theirs = address();
    let records = [srv("_xmpp-server", "light", 5269, 10, 0), srv("_xmpp-server", "heavy", 5269, 10, 65_535)];
    let hosts = [host("light", &[theirs]), host("heavy", &[theirs])].concat();
    let (verona, _names) = led(&stage, "", &[&records[..], &hosts].concat());
    let _mantua = stage.oriole("mantua.example", theirs, "");
    let order = "in this order: heavy.mantua.example port 5269, STARTTLS; light.mantua.example port 5269, STARTTLS";
    // One in 65,536 begins with the other one.
    assert!((0..3).any(|_| doctor(&verona).contains(order)), "{}", doctor(&verona));
}

/// An address where connections are neither taken nor refused, as long as this value lives.
struct Deaf(#[allow(dead_code, reason = "held open")] Vec<Socket>);

fn deaf(at: IpAddr) -> Deaf {
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let at = SocketAddr::new(at, 5269).into();
    let listener = socket();
    listener.bind(&at).unwrap();
    listener.listen(0).unwrap();
    let mut held = vec![listener];
    // Until its queue is full, and the next one gets no answer.
    loop {
        let client = socket();
        let connected = client.connect_timeout(&at, Duration::from_millis(300));
        held.push(client);
        if connected.is_err() {
            return Deaf(held);
        }
    }
}

/// RFC 8305: an address that does not answer is overtaken long before its time is up.
#[test]
fn an_address_that_does_not_answer_holds_nobody_up() {
    if !installed(&["dnsmasq"]) {
        return skip(NONE);
    }
    let stage = Stage::new();
    let [first, theirs, last] = [address(), address(), address()];
    let _deaf = [deaf(first), deaf(last)];
    // Whichever end the name server begins at, that one is deaf.
    let records = [vec![srv("_xmpp-server", "xmpp", 5269, 10, 0)], host("xmpp", &[first, theirs, last])].concat();
    let records = [records, vec!["--no-round-robin".to_owned()]].concat();
    let patience = "federation.timeouts.connect = '2m'\nfederation.timeouts.deliver = '20s'\n";
    let (verona, _names) = led(&stage, patience, &records);
    let mantua = stage.oriole_with("mantua.example", theirs, Quality::Good, "");
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    says(&mut juliet, &mut romeo, "thou hast three addresses");
    says(&mut romeo, &mut juliet, "and two are deaf");
    assert!(doctor(&verona).contains(&format!("{theirs}:5269 answers")), "{}", doctor(&verona));
}
