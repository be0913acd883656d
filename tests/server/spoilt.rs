//! Streams of clients, spoilt at random: whatever arrives, the server neither panics nor forgets the others.
//!
//! `ORIOLE_SPOILT_STREAMS` sets how many streams there are, `ORIOLE_SPOILT_SEED` repeats an earlier run.

use crate::support::{Client, DOMAIN, Server, random, random::Random};

/// What clients send before they are logged in.
const BEFORE: &str = "<?xml version='1.0'?><stream:stream to='capulet.example' version='1.0' xml:lang='en' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\
    <iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>\
    <iq type='set' id='2'><query xmlns='jabber:iq:register'><username>x</username><password>y</password></query></iq>\
    <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1qdWxpZXQscj1meWtvK2QybGJiRmdPTlJ2OXFreGRhd0w=</auth>\
    <response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdMLHA9djBYOHYzQnoyVDBDSkdiSlF5RjBYK0hJNFRzPQ==</response>\
    <abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:stream>";

/// What clients send afterwards.
const AFTER: &[&str] = &[
    "<presence><show>away</show><status>Gone</status><priority>-1</priority></presence>",
    "<presence to='romeo@capulet.example' type='subscribe'/>",
    "<presence to='romeo@capulet.example/garden' type='unavailable'/>",
    "<message to='romeo@capulet.example' type='chat' id='3'><body>a &amp; b &#x1F339;</body><thread>1</thread></message>",
    "<message to='juliet@capulet.example/spoilt'><x xmlns='urn:x'><![CDATA[<y/>]]></x></message>",
    "<iq type='get' id='4'><query xmlns='jabber:iq:roster' ver=''/></iq>",
    "<iq type='set' id='5'><query xmlns='jabber:iq:roster'><item jid='a@b.example' name='A'><group>G</group></item></query></iq>",
    "<iq type='set' id='6'><query xmlns='jabber:iq:private'><a xmlns='b'><c/></a></query></iq>",
    "<iq type='get' id='7'><query xmlns='jabber:iq:private'><a xmlns='b'/></query></iq>",
    "<iq type='set' id='8'><vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard></iq>",
    "<iq type='get' id='9' to='romeo@capulet.example'><vCard xmlns='vcard-temp'/></iq>",
    "<iq type='get' id='10' to='capulet.example'><query xmlns='http://jabber.org/protocol/disco#info' node='x'/></iq>",
    "<iq type='get' id='11' to='capulet.example'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    "<iq type='get' id='12' to='capulet.example'><query xmlns='jabber:iq:version'/></iq>",
    "<iq type='get' id='13' to='capulet.example'><query xmlns='jabber:iq:last'/></iq>",
    "<iq type='get' id='14' to='capulet.example'><time xmlns='urn:xmpp:time'/></iq>",
    "<iq type='get' id='15' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<iq type='get' id='16'><query xmlns='jabber:iq:register'/></iq>",
    "<iq type='set' id='17'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
    "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    "</stream:stream>",
];

/// What is put into places where it does not belong.
const ODD: &[&str] = &[
    "",
    "'",
    "\"",
    "<",
    ">",
    "/",
    "&",
    "&#0;",
    "&#xD800;",
    "&amp;",
    "]]>",
    "<![CDATA[",
    "<!--",
    "<?",
    "xmlns=''",
    "xmlns:a='b'",
    "\0",
    "\u{FEFF}",
    "\u{FFFF}",
    "\u{1F339}",
    "@",
    "capulet.example",
    "jabber:client",
    "set",
    "result",
    "error",
    "99999999999999999999",
    "-1",
    "\r\n",
    "<a>",
    "</a>",
    "stream:",
    "xml:lang='x'",
];

/// A few changes anywhere: a byte, a piece lost, a piece twice, something odd in between.
fn spoil(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let end = (at + random.below(30) as usize).min(bytes.len());
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] = random.next() as u8,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => drop(bytes.splice(at..end.min(at + 1), random.one_of(ODD).bytes())),
        }
    }
}

#[test]
fn nothing_a_client_sends_can_hurt_the_server() {
    let streams = random::setting("ORIOLE_SPOILT_STREAMS").unwrap_or(150);
    let mut random = Random::seeded("ORIOLE_SPOILT_SEED");
    let server = Server::configured(
        "default_host.require_tls = false\nlog.level = 'info'\n\
         limits.account.auth_failures = '1000000/1h'\nlimits.address.auth_failures = '1000000/1h'",
    );
    server.add_user("romeo");
    server.add_user("juliet");
    let mut witness = server.connect();
    witness.log_in_unencrypted("romeo", "garden");
    for stream in 0..streams {
        let mut client = server.connect();
        let mut bytes = BEFORE.as_bytes().to_vec();
        if stream % 2 == 0 {
            client.log_in_unencrypted("juliet", "spoilt");
            bytes = (0..12).flat_map(|_| random.one_of(AFTER).bytes()).collect();
        }
        spoil(&mut random, &mut bytes);
        let half = bytes.len() / 2;
        // The server may hang up at any moment.
        let _ = client.try_send(&bytes[..half]).and_then(|()| client.try_send(&bytes[half..]));
        if random.below(2) == 0 {
            // As far as it goes, whatever the server still says must be XML: the client checks that.
            finish(&mut client);
        }
        client.drop_connection();
        if stream % 10 == 0 {
            witness.settle();
        }
    }
    witness.settle();
    assert!(server.oriole(&["store", "verify"]).status.success());
}

/// Ends what may still be open, and reads all.
fn finish(client: &mut Client) {
    let end = format!(
        "<iq type='get' to='{DOMAIN}' id='end'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>'\">]]>--></x>"
    );
    let _ = client.try_send(end);
    let _ = client.socket().shutdown(std::net::Shutdown::Write);
    client.rest();
}
