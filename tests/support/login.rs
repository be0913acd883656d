//! How the client of the tests registers, logs in and binds a resource.

use super::{Client, PASSWORD};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::sasl::client::{Binding, Client as Sasl, Login};
use wire::sasl::{Mechanism, Password};
use wire::xml::Element;

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

impl Client {
    /// The whole way: stream, STARTTLS, stream, SCRAM-SHA-256-PLUS, stream, bind.
    pub fn log_in(&mut self, name: &str, resource: &str) {
        self.open();
        self.start_tls();
        self.open();
        self.authenticate(Mechanism::ScramSha256Plus, name, PASSWORD).unwrap();
        self.open();
        self.bind(resource).unwrap();
    }

    /// The way of [`Client::log_in`] without TLS, where the server allows it.
    pub fn log_in_unencrypted(&mut self, name: &str, resource: &str) {
        self.open();
        self.authenticate(Mechanism::ScramSha1, name, PASSWORD).unwrap();
        self.open();
        self.bind(resource).unwrap();
    }

    /// Logs in; a new stream is to be opened then. The error is the condition in `<failure/>`.
    pub fn authenticate(&mut self, mechanism: Mechanism, name: &str, password: &str) -> Result<(), String> {
        let login = match mechanism {
            Mechanism::Anonymous => Login::Nothing,
            _ => Login::Password { username: name.to_owned(), password: Password::new(password.to_owned()) },
        };
        let binding = if mechanism.binds_channel() { self.channel_binding() } else { Binding::Unsupported };
        let mut sasl = Sasl::new(mechanism, login, binding).unwrap();
        let initial = BASE64.encode(sasl.initial());
        self.send(format!("<auth xmlns='{SASL}' mechanism='{}'>{initial}</auth>", mechanism.name()));
        loop {
            let answer = self.next().element();
            let data = BASE64.decode(answer.text()).unwrap_or_default();
            match answer.name() {
                "challenge" => {
                    let response = BASE64.encode(sasl.challenge(&data).unwrap());
                    self.send(format!("<response xmlns='{SASL}'>{response}</response>"));
                }
                "success" => {
                    sasl.success(&data).expect("the server does not prove that it knows the password");
                    return Ok(());
                }
                "failure" => return Err(answer.children().next().unwrap().name().to_owned()),
                _ => panic!("expected an answer of SASL, found {answer:?}"),
            }
        }
    }

    /// Binds a resource. The error is the condition of the stanza error.
    pub fn bind(&mut self, resource: &str) -> Result<(), String> {
        const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
        let bind = format!("<bind xmlns='{BIND}'><resource>{resource}</resource></bind>");
        let answer = self.iq("set", None, &bind);
        match error_condition(&answer) {
            Some(condition) => Err(condition),
            None => {
                self.jid = answer.child("bind", BIND).unwrap().child("jid", BIND).unwrap().text();
                Ok(())
            }
        }
    }

    /// Registers an account on a stream that is not logged in (XEP-0077). `None` when the connection ends first.
    pub fn try_register(&mut self, name: &str) -> Option<Element> {
        let fields = format!("<username>{name}</username><password>{PASSWORD}</password>");
        self.try_iq("set", None, &format!("<query xmlns='jabber:iq:register'>{fields}</query>"))
    }

    pub(super) fn channel_binding(&self) -> Binding {
        let exported = self.tls().expect("channel binding needs TLS").export_keying_material(
            [0; 32],
            b"EXPORTER-Channel-Binding",
            Some(b""),
        );
        Binding::Exporter(exported.unwrap().to_vec())
    }
}

/// The condition of the error in an answer; `None` for a result.
pub fn error_condition(answer: &Element) -> Option<String> {
    let error = answer.children().find(|child| child.name() == "error")?;
    Some(error.children().next().unwrap().name().to_owned())
}
