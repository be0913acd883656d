//! How the client of the tests logs in by SASL2 (XEP-0388), with a password or a token.

use super::Client;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use wire::sasl::client::{Binding, Client as Sasl, Login};
use wire::sasl::{Mechanism, Password};
use wire::xml::Element;

pub const SASL2: &str = "urn:xmpp:sasl:2";
pub const BIND2: &str = "urn:xmpp:bind:0";
pub const FAST: &str = "urn:xmpp:fast:0";
pub const ISR: &str = "https://xmpp.org/extensions/isr/0";

/// Who a client says it is.
pub const PHONE: &str = "<user-agent xmlns='urn:xmpp:sasl:2' id='d4565fa7-4d72-4749-b3d3-740edbf87770'>\
                         <software>AwesomeXMPP</software><device>Juliet's phone</device></user-agent>";
pub const LAPTOP: &str = "<user-agent xmlns='urn:xmpp:sasl:2' id='c0a8e4c1-0d5f-4b0f-9d5d-6f1f3f3c8a11'/>";

impl Client {
    /// The way to where a client can log in.
    pub fn secured(mut self) -> Client {
        self.open();
        self.start_tls();
        self.open();
        self
    }

    /// Logs in with a password, and asks for more. What comes is `<success/>`, or the condition in `<failure/>`.
    pub fn authenticate2(
        &mut self,
        mechanism: Mechanism,
        name: &str,
        password: &str,
        more: &str,
    ) -> Result<Element, String> {
        let login = match mechanism {
            Mechanism::Anonymous => Login::Nothing,
            _ => Login::Password { username: name.to_owned(), password: Password::new(password.to_owned()) },
        };
        let binding = if mechanism.binds_channel() { self.channel_binding() } else { Binding::Unsupported };
        let mut sasl = Sasl::new(mechanism, login, binding).unwrap();
        self.send_authenticate(mechanism.name(), &sasl.initial(), more);
        let mut answer = self.next().element();
        if answer.is("challenge", SASL2) {
            let response = sasl.challenge(&BASE64.decode(answer.text()).unwrap()).unwrap();
            self.send(format!("<response xmlns='{SASL2}'>{}</response>", BASE64.encode(response)));
            answer = self.next().element();
        }
        let success = self.outcome(answer)?;
        let data = success.child("additional-data", SASL2).map(|data| BASE64.decode(data.text()).unwrap());
        sasl.success(&data.unwrap_or_default()).expect("the server does not prove that it knows the password");
        Ok(success)
    }

    /// Logs in with a token that was given for that. `fast` are the attributes of `<fast/>`.
    pub fn authenticate_by_token(
        &mut self,
        mechanism: &str,
        name: &str,
        token: &str,
        fast: &str,
        more: &str,
    ) -> Result<Element, String> {
        self.send_proof(mechanism, name, token, &format!("<fast xmlns='{FAST}' {fast}/>{more}"));
        self.takes_proof(mechanism, token)
    }

    /// Proves by `HT-SHA-256-EXPR`, `-ENDP` or, without a channel binding, `-NONE` that it has a token, and asks for more.
    pub fn send_proof(&mut self, mechanism: &str, name: &str, token: &str, more: &str) {
        let initial = [name.as_bytes(), b"\0", &self.hashed(mechanism, token, "Initiator")].concat();
        self.send_authenticate(mechanism, &initial, more);
    }

    /// The answer to such a proof: `<success/>`, or the condition in `<failure/>`.
    pub fn takes_proof(&mut self, mechanism: &str, token: &str) -> Result<Element, String> {
        let answer = self.next().element();
        let success = self.outcome(answer)?;
        let data = success.child("additional-data", SASL2).expect("the server's own proof").text();
        let expected = self.hashed(mechanism, token, "Responder");
        assert_eq!(BASE64.decode(data).unwrap(), expected, "the server does not prove that it has the token");
        Ok(success)
    }

    fn hashed(&self, mechanism: &str, token: &str, by: &str) -> Vec<u8> {
        let binding = match (mechanism.rsplit_once('-').unwrap().1, self.channel_binding()) {
            ("EXPR", Binding::Exporter(exported)) => exported,
            // RFC 5929 section 4.1: the tests' certificates are signed with SHA-256.
            ("ENDP", _) => {
                let certificates = self.tls().unwrap().peer_certificates().unwrap();
                Sha256::digest(&certificates[0]).to_vec()
            }
            _ => Vec::new(),
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
        mac.update(by.as_bytes());
        mac.update(&binding);
        mac.finalize().into_bytes().to_vec()
    }

    fn send_authenticate(&mut self, mechanism: &str, initial: &[u8], more: &str) {
        let initial = BASE64.encode(initial);
        self.send(format!(
            "<authenticate xmlns='{SASL2}' mechanism='{mechanism}'><initial-response>{initial}</initial-response>{more}\
             </authenticate>"
        ));
    }

    fn outcome(&mut self, answer: Element) -> Result<Element, String> {
        match answer.name() {
            "success" => {
                assert_eq!(answer.ns(), SASL2);
                self.jid = answer.child("authorization-identifier", SASL2).expect("who the client is").text();
                Ok(answer)
            }
            "failure" => Err(answer.children().next().unwrap().name().to_owned()),
            _ => panic!("expected an answer of SASL2, found {answer:?}"),
        }
    }
}

/// The token in `<success/>`.
pub fn token(success: &Element) -> Option<String> {
    let token = success.child("token", FAST)?;
    assert!(token.attr("expiry").is_some_and(|expiry| expiry.ends_with('Z')), "{token:?}");
    Some(token.attr("token").expect("the token itself").to_owned())
}
