//! Addresses as values: sizes, map keys, conversions between full, bare and domain.

use std::collections::{BTreeMap, HashMap, HashSet};

use wire::jid::{BareJid, Jid, JidError};

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

#[test]
fn an_address_is_small() {
    assert_eq!(size_of::<Jid>(), 24);
    assert_eq!(size_of::<BareJid>(), 24);
    assert_eq!(size_of::<Option<Jid>>(), 24);
}

#[test]
fn full_bare_and_domain() {
    let full = jid("juliet@capulet.lit/balcony");
    assert_eq!(full.bare_str(), "juliet@capulet.lit");
    assert_eq!(full.to_bare(), BareJid::parse("juliet@capulet.lit").unwrap());
    assert_eq!(full.domain_of(), BareJid::parse("capulet.lit").unwrap());
    assert!(full.is_full() && !full.is_bare() && !full.is_domain());

    let bare = full.to_bare();
    assert_eq!((bare.local(), bare.domain()), (Some("juliet"), "capulet.lit"));
    assert_eq!(bare.with_resource("balcony"), Ok(full.clone()));
    assert_eq!(full.with_resource("chamber").unwrap(), "juliet@capulet.lit/chamber");
    assert!(bare.as_jid().is_bare() && !bare.is_domain());
    assert_eq!(bare.as_jid().to_bare(), bare);
    assert_eq!(Jid::from(bare.clone()), bare);
    assert_eq!(BareJid::from_parts(Some("Juliet"), "capulet.lit"), Ok(bare.clone()));

    let domain = bare.domain_of();
    assert!(domain.is_domain() && domain.as_jid().is_domain());
    assert_eq!(domain.domain_of(), domain);
    assert_eq!(domain.with_resource("announce").unwrap().bare_str(), "capulet.lit");
    assert!(!jid("capulet.lit/announce").is_domain());
    assert_eq!(jid("capulet.lit/announce").domain_of(), domain);
}

#[test]
fn a_bare_address_has_no_resource() {
    assert_eq!(BareJid::parse("juliet@capulet.lit/balcony"), Err(JidError::HasResource));
    assert_eq!(BareJid::try_from(jid("capulet.lit/x")), Err(JidError::HasResource));
    assert_eq!(BareJid::try_from(jid("capulet.lit")).unwrap(), "capulet.lit");
}

#[test]
fn maps_are_asked_with_text() {
    let full = jid("Juliet@capulet.lit/balcony");
    let users: HashMap<BareJid, u8> = HashMap::from([(full.to_bare(), 1)]);
    assert_eq!(users.get(full.bare_str()), Some(&1));
    assert_eq!(users.get("romeo@montague.lit"), None);
    let sessions: HashSet<Jid> = HashSet::from([full.clone()]);
    assert!(sessions.contains("juliet@capulet.lit/balcony"));
    let sorted: BTreeMap<Jid, u8> = BTreeMap::from([(full.clone(), 1)]);
    assert_eq!(sorted.get(full.as_str()), Some(&1));
}

#[test]
fn prints_as_its_text() {
    let full = jid("JULIET@capulet.lit/Balcony");
    assert_eq!(full.to_string(), "juliet@capulet.lit/Balcony");
    assert_eq!(format!("{full:?}"), "\"juliet@capulet.lit/Balcony\"");
    assert_eq!(full.to_bare().to_string(), "juliet@capulet.lit");
    assert_eq!(JidError::HasResource.to_string(), "the address has a resource");
    let refused = Jid::parse("a b@x").unwrap_err();
    assert_eq!(refused.to_string(), "the localpart is refused: ' ' is not allowed");
}
