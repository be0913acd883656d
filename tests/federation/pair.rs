//! An Oriole and another server, which find each other and their services by a name server.

use crate::others::{Process, installed, names};
use crate::stage::{House, Stage, address};
use crate::support::skip;
use std::net::{IpAddr, TcpListener};

/// Verona is ours, and Mantua is theirs.
pub struct Pair {
    pub verona: House,
    pub mantua: House,
    _names: Process,
    _stage: Stage,
}

/// `services`: labels before the domains of each. `changes` go into the configuration of Oriole. None, and a loud word, if the other
/// program is not installed.
pub fn pair(
    program: &str,
    services: [&str; 2],
    changes: &str,
    theirs: impl FnOnce(&Stage, IpAddr, IpAddr) -> House,
) -> Option<Pair> {
    if !installed(&[program, "dnsmasq"]) {
        skip(&format!("{program} and dnsmasq are needed"));
        return None;
    }
    let stage = Stage::new();
    let [dns, verona, mantua] = [address(), address(), address()];
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let srv = |domain: &str, host: &str, port: u16| format!("--srv-host=_xmpp-server._tcp.{domain},{host},{port},10,5");
    let records = [
        "--host-record=localhost,127.0.0.1".to_owned(),
        format!("--host-record=xmpp.mantua.example,{mantua}"),
        srv("verona.example", "localhost", port),
        srv(&format!("{}.verona.example", services[0]), "localhost", port),
        srv("mantua.example", "xmpp.mantua.example", 5269),
        srv(&format!("{}.mantua.example", services[1]), "xmpp.mantua.example", 5269),
    ];
    let names = names(dns, &records);
    let listening = format!(
        "listen.s2s.addresses = ['127.0.0.1:{port}']
federation.resolver = '{dns}:5353'
{changes}"
    );
    let verona = stage.oriole("verona.example", verona, &listening);
    let mantua = theirs(&stage, mantua, dns);
    Some(Pair { verona, mantua, _names: names, _stage: stage })
}
