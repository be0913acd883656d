//! Dialogues of clients and components, cut, shuffled and spoilt: whatever the peer sends and however the driver answers, the
//! stream machine keeps its promises. `fuzz/` holds the same properties for a coverage-guided fuzzer.

#[path = "stream_support/driver.rs"]
mod driver;
mod xml_support;

use driver::{Outcome, perform};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use wire::stream::Role;
use xml_support::mutation::{mutation, spoilt};
use xml_support::proptest_config;

const OPEN: &str = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' \
                    xmlns:stream='http://etherx.jabber.org/streams'>";
/// \0juliet\0secret
const PLAIN: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>";
const PLAIN2: &str = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AGp1bGlldABzZWNyZXQ=\
                      </initial-response><user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/><bind xmlns='urn:xmpp:bind:0'>\
                      <tag>t</tag><enable xmlns='urn:xmpp:sm:3'/></bind></authenticate>";
/// juliet\0 and a proof.
const HASHED_TOKEN: &str = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>\
                            anVsaWV0AHByb29m</initial-response><fast xmlns='urn:xmpp:fast:0' count='1'/></authenticate>";
/// The same for a stream that broke.
const STREAM_TOKEN: &str = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>\
                            anVsaWV0AHByb29m</initial-response><inst-resume xmlns='https://xmpp.org/extensions/isr/0'>\
                            <resume xmlns='urn:xmpp:sm:3' previd='whim' h='1'/></inst-resume></authenticate>";
const INST_RESUME: &str = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AGp1bGlldABzZWNyZXQ=\
                           </initial-response><inst-resume xmlns='https://xmpp.org/extensions/isr/0' with-isr-token='false'>\
                           <resume xmlns='urn:xmpp:sm:3' previd='whim' h='1'/></inst-resume></authenticate>";
const BIND: &str =
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>";
const COMPONENT: &str = "<stream:stream to='example.org' xmlns='jabber:component:accept' \
                         xmlns:stream='http://etherx.jabber.org/streams'>";
/// Of the id that the driver's random octets make, and the secret.
const HANDSHAKE: &str = "<handshake>f62acf6700c3341f31be5ce524bc591469fb81a9</handshake>";

/// What clients say, in the order of a whole life.
const CLIENT: &[&str] = &[
    OPEN,
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    OPEN,
    "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>",
    // n,,n=juliet,r=abc
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1qdWxpZXQscj1hYmM=</auth>",
    // c=biws,r=abc,p=AAAA
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9YWJjLHA9QUFBQQ==</response>",
    "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1'><initial-response>biwsbj1qdWxpZXQscj1hYmM=</initial-response></authenticate>",
    "<response xmlns='urn:xmpp:sasl:2'>Yz1iaXdzLHI9YWJjLHA9QUFBQQ==</response>",
    "<abort xmlns='urn:xmpp:sasl:2'/>",
    HASHED_TOKEN,
    STREAM_TOKEN,
    INST_RESUME,
    PLAIN2,
    PLAIN,
    OPEN,
    BIND,
    "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
    "<presence><show>away</show></presence>",
    " ",
    "<message to='romeo@example.net' type='chat' xml:lang='de'><body>&lt;hi&gt; <![CDATA[<b>]]></body></message>",
    "<x:message xmlns:x='jabber:client' xmlns:y='u' y:z='1' to='a&apos;b@c'><y:e/></x:message>",
    "<iq type='get' id='v' to='example.org'><query xmlns='jabber:iq:version'/></iq>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    "</stream:stream>",
];

/// What is put where it does not belong.
const TOKENS: &[&str] = &[
    "<",
    ">",
    "'",
    "/",
    "=",
    "&",
    "\0",
    "<!--",
    "</",
    "/>",
    "<a>",
    "xmlns='u'",
    "<stream:error/>",
    "</stream:stream>",
    OPEN,
    PLAIN,
    PLAIN2,
    HASHED_TOKEN,
    BIND,
    "<iq/>",
    "<message/>",
];

/// Where what comes after binding begins in [`CLIENT`].
const BOUND: usize = 17;

/// A client that gets everything right, up to its first stanzas.
fn straight() -> Vec<u8> {
    [&[OPEN, PLAIN, OPEN, BIND], &session()[..]].concat().concat().into_bytes()
}

/// The same by SASL2, with all in one request.
fn straight2() -> Vec<u8> {
    [&[OPEN, PLAIN2], &session()[1..]].concat().concat().into_bytes()
}

fn session() -> [&'static str; 7] {
    [0, 1, 3, 4, 6, 7, 8].map(|at| CLIENT[BOUND + at])
}

fn component() -> Vec<u8> {
    let stanza = "<message from='a@example.org' to='b@c'><body/></message>";
    [COMPONENT, HANDSHAKE, stanza, "</stream:stream>"].concat().into_bytes()
}

/// The dialogues would be of little use if they went nowhere.
#[test]
fn the_dialogues_are_sound() {
    let done = |stanzas| Outcome { bound: true, stanzas, closed: true };
    assert_eq!(perform(Role::Client, true, &straight(), &[], &[]), done(2));
    assert_eq!(perform(Role::Client, true, &straight(), &[1; 5000], &[]), done(2));
    assert_eq!(perform(Role::Client, true, &straight2(), &[], &[]), done(2));
    assert_eq!(perform(Role::Component, false, &component(), &[7; 100], &[]), done(1));
}

proptest! {
    #![proptest_config(proptest_config(1500))]

    #[test]
    fn a_good_client_and_a_driver_at_whim(sizes in vec(1..400usize, 0..20), whims in vec(any::<u8>(), 0..20)) {
        perform(Role::Client, true, &straight(), &sizes, &whims);
        perform(Role::Client, true, &straight2(), &sizes, &whims);
    }

    #[test]
    fn spoilt_clients(
        bytes in spoilt(vec![straight(), straight2(), CLIENT.concat().into_bytes()], TOKENS),
        sizes in vec(1..100usize, 0..40),
        whims in vec(any::<u8>(), 0..20),
        secured: bool,
    ) {
        perform(Role::Client, secured, &bytes, &sizes, &whims);
    }

    /// Good sentences in any order, then spoilt a little.
    #[test]
    fn shuffled_clients(
        sentences in vec(select(CLIENT), 0..20),
        mutations in vec(mutation(TOKENS), 0..2),
        sizes in vec(1..100usize, 0..40),
        whims in vec(any::<u8>(), 0..20),
        secured: bool,
    ) {
        let mut bytes = sentences.concat().into_bytes();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        perform(Role::Client, secured, &bytes, &sizes, &whims);
        perform(Role::Client, secured, &[OPEN.as_bytes(), &bytes].concat(), &sizes, &whims);
    }

    /// What comes once stanzas flow.
    #[test]
    fn spoilt_sessions(
        bytes in spoilt(vec![CLIENT[BOUND..].concat().into_bytes()], TOKENS),
        sizes in vec(1..100usize, 0..40),
    ) {
        let beginning = [OPEN, PLAIN, OPEN, BIND].concat();
        let outcome = perform(Role::Client, true, &[beginning.as_bytes(), &bytes].concat(), &sizes, &[]);
        prop_assert!(outcome.bound);
    }

    #[test]
    fn spoilt_components(bytes in spoilt(vec![component()], TOKENS), sizes in vec(1..100usize, 0..40)) {
        perform(Role::Component, false, &bytes, &sizes, &[]);
    }
}
