//! The push services that a user's clients have named (XEP-0357 sections 5 and 6).

use super::NS;
use super::pace::Pace;
use crate::form::{self, Form, FormType};
use crate::stored::element_to_bytes;
use compact_str::CompactString;
use std::hash::{DefaultHasher, Hash, Hasher};
use wire::datetime::Timestamp;
use wire::jid::Jid;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

const OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// Registrations of one account. A client that is installed anew leaves its old one behind: the oldest goes.
const LIMIT: usize = 20;
/// Bytes of a node's name, and of the options.
const NODE: usize = 1024;
const OPTIONS_SIZE: usize = 4096;

/// Where a notification is published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub service: Jid,
    pub node: Option<String>,
}

/// A target with what its service wants to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    pub target: Target,
    /// The form to be given with every notification, as the client gave it.
    pub options: Option<Element>,
    /// Which client has enabled it: see [`Login::client`](crate::login::Login::client).
    pub client: Option<CompactString>,
    pub pace: Pace,
}

/// Why a publication was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may be different later: the service is out of reach or busy.
    Passing,
    Final,
}

/// What an account has registered, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registrations {
    pub all: Vec<Registration>,
    /// Messages that were notified since a client was last there.
    pub unseen: u32,
}

impl Target {
    /// Reads the attributes of an `<enable/>` or `<disable/>`.
    ///
    /// Errors: `bad-request` without a service, `jid-malformed` for what is no address.
    pub fn parse(element: &Element) -> Result<Target, StanzaError> {
        let service = element.attr("jid").ok_or(StanzaError::new(Condition::BadRequest))?;
        let service = Jid::parse(service).map_err(|_| StanzaError::new(Condition::JidMalformed))?;
        Ok(Target { service, node: element.attr("node").map(str::to_owned) })
    }

    fn to_element(&self) -> Element {
        Element::new("enable", NS).with_attr("jid", self.service.as_str()).maybe_attr("node", self.node.as_deref())
    }

    /// Tells it from the others of an account in the id of a publication, which comes back with the answer.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl Registration {
    /// Reads an `<enable/>`.
    ///
    /// Errors: as [`Target::parse`]; `bad-request` for a form that does not hold publish options, `policy-violation` for what
    /// is too long.
    pub fn parse(enable: &Element) -> Result<Registration, StanzaError> {
        let target = Target::parse(enable)?;
        let options = enable.child("x", form::NS).cloned();
        let is_submitted = |x: &Element| {
            Form::parse(x).is_some_and(|form| form.kind == FormType::Submit && form.form_type() == Some(OPTIONS))
        };
        if options.as_ref().is_some_and(|x| !is_submitted(x)) {
            return Err(StanzaError::new(Condition::BadRequest).with_text("the form does not hold publish options"));
        }
        let too_long = target.node.as_ref().is_some_and(|node| node.len() > NODE)
            || options.as_ref().is_some_and(|x| element_to_bytes(x).len() > OPTIONS_SIZE);
        match too_long {
            true => Err(Condition::PolicyViolation.into()),
            false => Ok(Registration { target, options, client: None, pace: Pace::default() }),
        }
    }
}

impl Registrations {
    /// Adds one, in place of an older one with the same target.
    pub fn enable(&mut self, registration: Registration) {
        self.all.retain(|old| old.target != registration.target);
        if self.all.len() >= LIMIT {
            self.all.remove(0);
        }
        self.all.push(registration);
    }

    /// Removes a target; without a node, all of its service. False when there was none.
    pub fn disable(&mut self, target: &Target) -> bool {
        let before = self.all.len();
        self.all.retain(|old| match &target.node {
            None => old.target.service != target.service,
            Some(_) => old.target != *target,
        });
        self.all.len() < before
    }

    /// Removes those of a client that may not come back. False when there was none.
    pub fn revoke(&mut self, client: &str) -> bool {
        let before = self.all.len();
        self.all.retain(|old| old.client.as_deref() != Some(client));
        self.all.len() < before
    }

    /// A client is there: it sees for itself. True when that changes anything.
    pub fn came(&mut self, client: &str) -> bool {
        let own = self.all.iter_mut().filter(|one| one.client.as_deref() == Some(client));
        let changed = own.fold(self.unseen > 0, |changed, one| one.pace.came() || changed);
        self.unseen = 0;
        changed
    }

    /// Which one a publication was for.
    pub fn find(&self, service: &Jid, fingerprint: u64) -> Option<usize> {
        self.all.iter().position(|one| one.target.service == *service && one.target.fingerprint() == fingerprint)
    }

    /// A publication to that one was refused. True when it is given up.
    pub fn failed(&mut self, index: usize, failure: Failure, now: Timestamp) -> bool {
        let given_up = |one: &mut Registration| failure == Failure::Final || one.pace.failed(now);
        let given_up = self.all.get_mut(index).is_some_and(given_up);
        if given_up {
            self.all.remove(index);
        }
        given_up
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn to_element(&self) -> Element {
        let one = |registration: &Registration| {
            let enable = registration.target.to_element();
            let enable = enable.maybe_attr("client", registration.client.as_deref());
            registration.pace.write(enable).maybe_child(registration.options.clone())
        };
        let all = Element::new("registrations", NS).with_attr("unseen", self.unseen.to_string());
        all.with_children(self.all.iter().map(one))
    }

    pub(super) fn from_element(element: &Element) -> Option<Registrations> {
        let one = |enable: &Element| {
            let client = enable.attr("client").map(CompactString::from);
            Some(Registration { client, pace: Pace::read(enable), ..Registration::parse(enable).ok()? })
        };
        let all = element.children_named("enable", NS).map(one).collect::<Option<_>>()?;
        Some(Registrations { all, unseen: element.attr("unseen")?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{UNLIMITED, content_scope};

    fn parse(attrs: &str, inside: &str) -> Result<Registration, StanzaError> {
        let xml = format!("<enable xmlns='urn:xmpp:push:0' {attrs}>{inside}</enable>");
        Registration::parse(&Element::parse(&xml, content_scope(), &UNLIMITED).unwrap())
    }

    fn registration(node: &str) -> Registration {
        parse(&format!("jid='push.example.net' node='{node}'"), "").unwrap()
    }

    fn nodes(all: &Registrations) -> Vec<&str> {
        all.all.iter().filter_map(|one| one.target.node.as_deref()).collect()
    }

    const FORM: &str = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>
        <value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>s</value></field></x>";

    #[test]
    fn what_is_written_can_be_read() {
        let mut all = Registrations { unseen: 3, ..Registrations::default() };
        all.enable(parse("jid='push.example.net' node='n'", FORM).unwrap());
        all.enable(parse("jid='a@push.example.net/x'", "").unwrap());
        all.all[1].client = Some("session/phone".into());
        all.failed(1, Failure::Passing, Timestamp::UNIX_EPOCH);
        assert_eq!(Registrations::from_element(&all.to_element()), Some(all));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let refused = |attrs: &str, inside: &str| parse(attrs, inside).unwrap_err().condition;
        assert_eq!(refused("node='n'", ""), Condition::BadRequest);
        assert_eq!(refused("jid='@/@'", ""), Condition::JidMalformed);
        assert_eq!(refused("jid='a.b'", &FORM.replace("#publish-options", "#other")), Condition::BadRequest);
        assert_eq!(refused("jid='a.b'", &FORM.replace("submit", "form")), Condition::BadRequest);
        assert_eq!(refused(&format!("jid='a.b' node='{}'", "n".repeat(1025)), ""), Condition::PolicyViolation);
        assert_eq!(
            refused("jid='a.b'", &FORM.replace(">s<", &format!(">{}<", "s".repeat(4096)))),
            Condition::PolicyViolation
        );
    }

    #[test]
    fn the_last_request_for_a_node_counts_and_the_oldest_goes() {
        let mut all = Registrations::default();
        all.enable(registration("a"));
        all.enable(registration("b"));
        all.enable(Registration { options: Some(Element::new("x", form::NS)), ..registration("a") });
        assert_eq!(nodes(&all), ["b", "a"]);
        assert!(all.all[1].options.is_some());
        (0..LIMIT).for_each(|number| all.enable(registration(&number.to_string())));
        assert_eq!((all.all.len(), nodes(&all)[0]), (LIMIT, "0"));
    }

    #[test]
    fn one_node_or_all_of_a_service_are_disabled() {
        let mut all = Registrations::default();
        ["a", "b", "c"].into_iter().for_each(|node| all.enable(registration(node)));
        assert!(all.disable(&registration("a").target));
        assert!(!all.disable(&registration("a").target));
        assert_eq!(nodes(&all), ["b", "c"]);
        assert!(all.disable(&Target { node: None, ..registration("").target }));
        assert!(all.is_empty());
    }

    #[test]
    fn a_record_of_an_older_server_can_be_read() {
        let xml = "<registrations xmlns='urn:xmpp:push:0' unseen='2'><enable jid='push.example.net' node='n' failures='1'/></registrations>";
        let all = Registrations::from_element(&Element::parse(xml, content_scope(), &UNLIMITED).unwrap()).unwrap();
        assert_eq!((nodes(&all), all.unseen, &all.all[0].client), (vec!["n"], 2, &None));
    }

    #[test]
    fn errors_end_a_registration_at_once_or_in_time() {
        let day = |day: i64| Timestamp::from_millis(day * 86_400_000).unwrap();
        let mut all = Registrations::default();
        ["a", "b"].into_iter().for_each(|node| all.enable(registration(node)));
        let (service, b) = (registration("b").target.service, registration("b").target.fingerprint());
        assert_eq!(all.find(&Jid::parse("elsewhere.example.net").unwrap(), b), None, "not its to say");
        assert_eq!(all.find(&service, b), Some(1));
        assert!((0..7).all(|number| !all.failed(0, Failure::Passing, day(number))));
        assert!(all.failed(0, Failure::Passing, day(7)));
        assert_eq!(nodes(&all), ["b"]);
        assert!(all.failed(0, Failure::Final, day(8)));
        assert!(all.is_empty());
    }

    #[test]
    fn a_client_that_is_revoked_takes_its_own_along() {
        let mut all = Registrations::default();
        all.enable(Registration { client: Some("phone".into()), ..registration("a") });
        all.enable(Registration { client: Some("desk".into()), ..registration("b") });
        all.enable(registration("c"));
        assert!(all.revoke("phone") && !all.revoke("phone"));
        assert_eq!(nodes(&all), ["b", "c"]);
    }
}
