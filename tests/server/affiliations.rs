//! What the server tells of its users (XEP-0489), as the operator allows.

use super::support::login::error_condition;
use super::support::{Client, Server, user};
use wire::xml::Element;

/// Juliet's account was made by the operator, Romeo has registered.
fn verona(changes: &str) -> (Server, Client) {
    let server = Server::configured(changes);
    server.add_user("juliet");
    let answer = server.connect().secured().try_register("romeo").expect("an answer");
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
    let romeo = server.log_in("romeo", "orchard");
    (server, romeo)
}

#[test]
fn a_domain_that_the_operator_names_is_told() {
    let (_server, mut romeo) = verona("default_host.affiliations.domains = ['capulet.example']");
    let mut told = |name: &str| romeo.iq("get", Some(&user(name)), "<query xmlns='urn:xmpp:raa:0'/>");
    let info = |answer: &Element| answer.child("info", "urn:xmpp:raa:0").cloned().expect("an answer");
    let (member, registered) = (info(&told("juliet")), info(&told("romeo")));
    assert_eq!((member.attr("affiliation"), member.attr("since")), (Some("member"), None));
    assert_eq!(registered.attr("affiliation"), Some("registered"));
    let since = registered.attr("since").expect("a registered account has an age");
    assert!(since.ends_with("T00:00:00.000Z"), "{since}");
}

#[test]
fn nobody_is_told_unless_the_operator_says_so() {
    let (_server, mut romeo) = verona("");
    for name in ["juliet", "nobody"] {
        let answer = romeo.iq("get", Some(&user(name)), "<query xmlns='urn:xmpp:raa:0'/>");
        assert_eq!(error_condition(&answer).as_deref(), Some("service-unavailable"), "{name}");
    }
}
