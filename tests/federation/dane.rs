//! DANE (RFC 7673): certificates that signed records in DNS vouch for.

use crate::signed::Zone;
use crate::stage::{House, Quality, Stage, address, hears, routes, says_in_vain, send};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};
use std::path::Path;

/// SHA-256 of a certificate, for TLSA 3 0 1.
fn digest(file: &Path) -> Vec<u8> {
    Sha256::digest(CertificateDer::from_pem_file(file).unwrap()).to_vec()
}

/// Verona, which uses DANE, and Mantua, of whose server the zone says what `write` writes, given its certificate.
fn play(
    quality: Quality,
    mut zone: Zone,
    changes: &str,
    write: impl FnOnce(&mut Zone, &Path),
) -> (Stage, House, House) {
    let stage = Stage::new();
    let [dns, verona_at, mantua_at] = [address(), address(), address()];
    let there = routes(&[("verona.example", verona_at)]) + "federation.bidi = false\n";
    let mantua = stage.oriole_with("mantua.example", mantua_at, quality, &there);
    zone.server("mantua.example", "xmpp.mantua.example", mantua_at);
    write(&mut zone, &stage.dir.path().join("mantua.example.pem"));
    let anchors = zone.serve(dns, stage.dir.path());
    let dane = format!(
        "federation.resolver = '{dns}:5353'\nfederation.dane = true\nfederation.trust_anchors = '{}'\n",
        anchors.display()
    );
    let verona = stage.oriole("verona.example", verona_at, &(dane + changes));
    (stage, verona, mantua)
}

const STRICT: &str = "federation.require = 'certificates'\n";

#[test]
fn a_signed_record_is_proof_in_both_directions() {
    let (_stage, verona, mantua) = play(Quality::SelfSigned, Zone::new(), STRICT, |zone, certificate| {
        zone.tlsa("xmpp.mantua.example", [3, 0, 1], digest(certificate));
    });
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    send(&mut juliet, &romeo.jid.clone(), "to the one whom DNS vouches for");
    hears(&mut romeo, "to the one whom DNS vouches for");
    send(&mut romeo, &juliet.jid.clone(), "and from him");
    hears(&mut juliet, "and from him");
    let text = verona.oriole().oriole(&["doctor", "mantua.example", "--from", "verona.example"]);
    let text = String::from_utf8(text.stdout).unwrap();
    for words in ["_5269._tcp.xmpp.mantua.example: TLSA 3 0 1, proved by DNSSEC", "is that of a TLSA record", "\nOK: "]
    {
        assert!(text.contains(words), "{words:?} is missing in\n{text}");
    }
}

#[test]
fn a_certificate_that_is_not_in_the_signed_record_is_refused() {
    // An authority vouches for it, and dialback would do.
    let (_stage, verona, _mantua) = play(Quality::Good, Zone::new(), "", |zone, _| {
        zone.tlsa("xmpp.mantua.example", [3, 0, 1], vec![7; 32]);
    });
    let mut juliet = verona.user("juliet");
    assert_eq!(says_in_vain(&mut juliet, "romeo@mantua.example", "who art thou?"), "remote-server-timeout");
    let why = "the server's certificate is not the one that the TLSA records of mantua.example demand";
    verona.oriole().log().wait_for(why).expect("the log says why");
}

#[test]
fn records_that_are_not_signed_as_they_should_be_prove_nothing() {
    let (_stage, verona, _mantua) = play(Quality::SelfSigned, Zone::forged(), STRICT, |zone, certificate| {
        zone.tlsa("xmpp.mantua.example", [3, 0, 1], digest(certificate));
    });
    let mut juliet = verona.user("juliet");
    assert_eq!(says_in_vain(&mut juliet, "romeo@mantua.example", "who art thou?"), "remote-server-timeout");
    let why = "the server has no certificate that proves it is mantua.example";
    verona.oriole().log().wait_for(why).expect("the log says why");
}

#[test]
fn without_records_nothing_changes() {
    let (_stage, verona, mantua) = play(Quality::Good, Zone::new(), STRICT, |_, _| {});
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    send(&mut juliet, &romeo.jid.clone(), "by authority");
    hears(&mut romeo, "by authority");
}
