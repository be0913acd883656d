//! Oriole and Oriole.

use crate::stage::{Quality, Stage, address, hears, routes, says, says_in_vain, send, tls_routes};

#[test]
fn three_servers_talk_in_a_ring() {
    let stage = Stage::new();
    let [verona, mantua, padua] = [address(), address(), address()];
    let routes = routes(&[("verona.example", verona), ("mantua.example", mantua), ("padua.example", padua)]);
    let only = |own: &str| routes.lines().filter(|line| !line.contains(own)).collect::<Vec<_>>().join("\n");
    let verona = stage.oriole("verona.example", verona, &only("verona.example"));
    let mantua = stage.oriole("mantua.example", mantua, &only("mantua.example"));
    let padua = stage.oriole("padua.example", padua, &only("padua.example"));
    let (mut juliet, mut romeo, mut kate) = (verona.user("juliet"), mantua.user("romeo"), padua.user("kate"));
    says(&mut juliet, &mut romeo, "to Mantua");
    says(&mut romeo, &mut kate, "to Padua");
    says(&mut kate, &mut juliet, "to Verona");
    says(&mut juliet, &mut kate, "back to Padua");
    says(&mut kate, &mut romeo, "back to Mantua");
    says(&mut romeo, &mut juliet, "back to Verona");
}

#[test]
fn order_is_kept() {
    let stage = Stage::new();
    let [verona, mantua] = stage.neighbours(Quality::Good, ["", ""]);
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    for number in 0..500 {
        send(&mut juliet, &romeo.jid.clone(), &number.to_string());
    }
    hears(&mut romeo, "0");
    let mut last = 0;
    while last < 499 {
        let next = romeo.find(|element| element.name() == "message").child("body", "jabber:client").unwrap().text();
        last += 1;
        assert_eq!(next, last.to_string());
    }
}

#[test]
fn each_proof_and_each_kind_of_tls() {
    for (proof, quality, direct, bidi, words) in [
        ("certificates", Quality::Good, false, true, ["External", "certified=true"]),
        ("certificates", Quality::Good, true, false, ["External", "certified=true"]),
        ("certificates-or-dialback", Quality::SelfSigned, false, true, ["Dialback", "certified=false"]),
        ("certificates-or-dialback", Quality::SelfSigned, true, false, ["Dialback", "certified=false"]),
    ] {
        let stage = Stage::new();
        let [verona, mantua] = [address(), address()];
        let policy = format!("federation.require = '{proof}'\nfederation.bidi = {bidi}\n");
        let way = |to| policy.clone() + &if direct { tls_routes(&[to]) } else { routes(&[to]) };
        let first = stage.oriole_with("verona.example", verona, quality, &way(("mantua.example", mantua)));
        let second = stage.oriole_with("mantua.example", mantua, quality, &way(("verona.example", verona)));
        let (mut juliet, mut romeo) = (first.user("juliet"), second.user("romeo"));
        says(&mut juliet, &mut romeo, "Ay me!");
        says(&mut romeo, &mut juliet, "I take thee at thy word");
        let connected = first.oriole().log().wait_for(" connected").unwrap();
        let plain = strip(&connected);
        assert!(words.iter().all(|word| plain.contains(word)), "{plain}");
        assert!(plain.contains(&format!("bidi={bidi}")), "{plain}");
    }
}

#[test]
fn a_bad_certificate_is_no_proof_in_either_direction() {
    for (quality, why) in [
        (Quality::SelfSigned, "no known authority vouches for it"),
        (Quality::Expired, "it or one of those that vouch for it has expired"),
        (Quality::Foreign, "it is for else.where.example"),
    ] {
        let stage = Stage::new();
        let [verona, mantua] = [address(), address()];
        let strict = "federation.require = 'certificates'\n";
        let first =
            stage.oriole("verona.example", verona, &(strict.to_owned() + &routes(&[("mantua.example", mantua)])));
        // The other one has nothing against dialback.
        let second = stage.oriole_with("mantua.example", mantua, quality, &routes(&[("verona.example", verona)]));
        let mut juliet = first.user("juliet");
        assert_eq!(says_in_vain(&mut juliet, "romeo@mantua.example", "Romeo!"), "remote-server-timeout");
        let out = format!("the server has no certificate that proves it is mantua.example: {why}");
        first.oriole().log().wait_for(&out).expect("the log says why nobody goes there");
        // The operator of the other one is told too.
        let asked = second.oriole().oriole(&["doctor", "verona.example", "--from", "mantua.example"]);
        let text = String::from_utf8(asked.stdout).unwrap();
        assert!(asked.status.code() == Some(1) && text.contains("policy-violation"), "{text}");
        let line = first.oriole().log().wait_for("the peer's certificate proves nothing").unwrap();
        assert!(line.contains(why) && line.contains("mantua.example"), "{line}");
    }
}

/// A log line without its colours.
pub fn strip(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('\u{1b}') {
        text.push_str(&rest[..start]);
        rest = rest[start..].split_once('m').map_or("", |(_, rest)| rest);
    }
    text + rest
}
