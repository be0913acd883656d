//! Logging in by SASL2 (XEP-0388): tokens are looked up, the client is noted among the account's, and a session is bound at once when
//! that is asked for (XEP-0386). Before that, keys that an account lacks are made by its client (XEP-0480).

use super::instant::Stays;
use super::negotiate::{Negotiation, Next};
use crate::engine::{Binding, Client};
use tracing::{debug, error, info};
use wire::jid::BareJid;
use wire::sasl::{Fingerprint, Hash, Identity, Iterations, SALT_LEN, SaslError, StoredKeys, TokenMechanism};
use wire::stream::management;
use wire::stream::{Authenticate, BIND2, CLIENT_STATE, ClientState, Event, Session, Upgrade, Welcome};
use wire::xml::Element;
use xeps::accounts::{self, AccountRecord};
use xeps::devices::{self, Admission, Attempt, Login, Method, Proof, Refused, Salt};

impl Negotiation<'_> {
    /// Answers [`Event::NeedTokens`].
    pub(super) async fn look_up_tokens(
        &mut self,
        username: &str,
        mechanism: TokenMechanism,
        request: &Authenticate,
    ) -> Option<Event> {
        self.method = Method::Token;
        self.salts.clear();
        if self.is_blocked(username) {
            return self.try_later();
        }
        let Ok(found) = self.account(username).await else { return self.try_later() };
        let Some((user, record)) = found else { return self.stream.tokens(&[]) };
        let shared = self.shared;
        let engine = &shared.engine;
        let attempt = Attempt { user: &user, password: fingerprint(&record), request, now: engine.clock.now() };
        let found = match &request.isr {
            Some(isr) if isr.by_token => match &isr.previd {
                Some(stream) => {
                    Ok(engine.isr_token(&user, stream, mechanism, attempt.password).await.into_iter().collect())
                }
                None => Ok(Vec::new()),
            },
            _ => devices::candidates(engine.store.as_ref(), &engine.secrets.tokens, &attempt, mechanism).await,
        };
        match found {
            Ok(known) => {
                let (salts, candidates): (Vec<Salt>, Vec<_>) = known.into_iter().unzip();
                self.salts = salts;
                self.stream.tokens(&candidates)
            }
            Err(error) => {
                error!(%error, "the store failed: a login was refused");
                self.try_later()
            }
        }
    }

    /// Answers [`Event::Welcome`]: does all that the client wants done with its login, and lets it in.
    pub(super) async fn welcome(
        &mut self,
        identity: Identity,
        request: &Authenticate,
        upgraded: Vec<StoredKeys>,
        then: &mut Option<Event>,
    ) -> Next {
        let principal = identity.principal.clone();
        let token = identity.token.and_then(|index| self.salts.get(index).copied());
        let (user, record) = match self.admitted(principal).await {
            Ok(admitted) => admitted,
            Err(refused) => {
                *then = refused;
                return Next::Go;
            }
        };
        let tasks = record.as_ref().map(|record| self.upgrades(record, request)).unwrap_or_default();
        if !tasks.is_empty() {
            self.stream.upgrade(identity, tasks);
            return Next::Go;
        }
        if let Err(refused) = self.keep_upgraded(&user, upgraded).await {
            *then = refused;
            return Next::Go;
        }
        // The token of a stream is for that stream, and says nothing new of the client.
        let by_stream_token = request.isr.as_ref().is_some_and(|isr| isr.by_token);
        let admission = match record.as_ref().filter(|_| !by_stream_token) {
            Some(record) => self.note_device(&user, record, request, token).await,
            // A guest comes once.
            None => Ok(Admission::default()),
        };
        let admission = match admission {
            Ok(admission) => admission,
            Err(refused) => {
                *then = refused;
                return Next::Go;
            }
        };
        self.device = admission.device;
        let mut children: Vec<Element> = admission.token.into_iter().collect();
        // XEP-0386 section 3.2: resumption first, and binding if that fails.
        let goes_on = match self.go_on(&user, record.as_ref(), request, token).await {
            Ok(goes_on) => goes_on,
            Err(Stays::Told(why)) => {
                children.push(why);
                None
            }
            Err(Stays::TooHigh(too_high)) => {
                self.stream.fail_too_high(too_high);
                return Next::Over;
            }
            Err(Stays::Refused(refused)) => {
                *then = refused;
                return Next::Go;
            }
        };
        let (client, session) = match (goes_on, &request.bind) {
            (Some((client, session)), _) => (Some(client), session),
            (None, None) => (None, Session::Unbound),
            (None, Some(bind)) => match self.bind_inline(&user, request, bind).await {
                Ok((client, session)) => (Some(client), session),
                Err(refused) => {
                    *then = refused;
                    return Next::Go;
                }
            },
        };
        self.logged_in(&user);
        if let Some(client) = &client {
            self.record(client);
        }
        self.stream.welcome(Welcome { user, session, children });
        client.map_or(Next::Go, Next::client)
    }

    /// What the client is asked for of the upgrades that it has offered (XEP-0480): keys that the account does not have. Only who has proved the
    /// password may say what follows from it.
    fn upgrades(&self, record: &AccountRecord, request: &Authenticate) -> Vec<Upgrade> {
        let Some(credentials) = record.credentials.as_ref().filter(|_| matches!(self.method, Method::Password)) else {
            return Vec::new();
        };
        let missing = request.upgrades.iter().filter(|hash| credentials.keys(**hash).is_none());
        let task = |hash: &Hash| {
            let mut salt = [0; SALT_LEN];
            super::random(&mut salt);
            Upgrade { hash: *hash, salt: salt.to_vec(), iterations: Iterations::default().of(*hash) }
        };
        missing.map(task).collect()
    }

    /// Adds the keys of an upgrade to the account. The client is told of success when they are on disk.
    async fn keep_upgraded(&mut self, user: &BareJid, keys: Vec<StoredKeys>) -> Result<(), Option<Event>> {
        if keys.is_empty() {
            return Ok(());
        }
        let store = self.shared.engine.store.as_ref();
        let stored = match accounts::add_keys(store, user, keys).await {
            Ok(written) => store.durable(written).await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => {
                info!(%user, "keys for more mechanisms have been added");
                Ok(())
            }
            Err(error) => {
                error!(%error, "the store failed: a login was refused");
                Err(self.try_later())
            }
        }
    }

    /// Notes the client among the account's, and makes it a token if need be. What it is told about tokens is true on disk.
    async fn note_device(
        &mut self,
        user: &BareJid,
        record: &AccountRecord,
        request: &Authenticate,
        token: Option<Salt>,
    ) -> Result<Admission, Option<Event>> {
        let proof = match (self.method, token) {
            (Method::Token, Some(salt)) => Proof::Token(salt),
            (Method::Certificate, _) => Proof::Certificate,
            _ => Proof::Password,
        };
        let shared = self.shared;
        let store = shared.engine.store.as_ref();
        let attempt = Attempt { user, password: fingerprint(record), request, now: shared.engine.clock.now() };
        let mut fresh = Salt::default();
        super::random(&mut fresh);
        let admitted =
            devices::admit(store, &shared.engine.secrets.tokens, &shared.devices, &attempt, proof, fresh).await;
        let stored = match admitted {
            Ok(admission) if admission.token.is_some() || request.fast.is_some_and(|fast| fast.invalidate) => {
                store.durable(admission.written).await.map(|()| admission)
            }
            Ok(admission) => Ok(admission),
            Err(Refused::Void) => {
                return Err(self.stream.denied(SaslError::NotAuthorized, "the token is void, or this is a replay"));
            }
            Err(Refused::Store(error)) => Err(error),
        };
        stored.map_err(|error| {
            error!(%error, "the store failed: a login was refused");
            self.try_later()
        })
    }

    async fn bind_inline(
        &mut self,
        user: &BareJid,
        request: &Authenticate,
        bind: &Element,
    ) -> Result<(Client, Session), Option<Event>> {
        let Some(served) = &self.served else { return Err(self.try_later()) };
        let engine = &self.shared.engine;
        let made = match &request.agent.id {
            Some(agent) if !self.anonymous => devices::resource_part(user, agent),
            _ => engine.clock.id(),
        };
        let tag = bind.child("tag", BIND2).map(Element::text).unwrap_or_default();
        let resource = resource(user, &tag, &made);
        let binding =
            Binding { resource: Some(&resource), login: self.login(), request: Some(bind), guest: self.anonymous };
        let (mut client, bound) = match Box::pin(engine.bind(served, user, binding, Some(self.peer.ip()))).await {
            Ok(bound) => bound,
            Err(error) => {
                debug!(condition = error.condition.name(), "no session was bound");
                return Err(self.stream.denied(SaslError::TemporaryAuthFailure, "no session could be bound"));
            }
        };
        // XEP-0198 section 9.1, XEP-0352.
        let managed = match bind.child("enable", management::NS).map(|enable| self.stream.wish(enable)) {
            Some(wish) => Some(self.shared.enable(&mut client, &wish, &self.io).await),
            None => None,
        };
        if bind.child("inactive", CLIENT_STATE).is_some() {
            engine.client_state(&client, ClientState::Inactive).await;
        }
        let jid = client.jid.clone();
        Ok((client, Session::Bound { jid, bound, managed }))
    }

    /// How the client has logged in, for its session.
    pub(super) fn login(&self) -> Login {
        let method = if self.anonymous { Method::Nothing } else { self.method };
        Login { device: self.device.clone(), method, since: self.shared.engine.clock.now() }
    }
}

pub(super) fn fingerprint(record: &AccountRecord) -> Option<Fingerprint> {
    record.credentials.as_ref().and_then(|credentials| credentials.fingerprint())
}

/// XEP-0386 section 3.2.1: what the client wants to be seen as, then what tells it from others. A tag that cannot be in an address, or is
/// longer than anybody would read, is left out.
fn resource(user: &BareJid, tag: &str, made: &str) -> String {
    const LONGEST_TAG: usize = 256;
    let tagged = format!("{tag}/{made}");
    let fits = !tag.is_empty() && tag.len() <= LONGEST_TAG && user.with_resource(&tagged).is_ok();
    if fits { tagged } else { made.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_comes_first_if_it_can_be_in_an_address() {
        let juliet = BareJid::parse("juliet@example.org").unwrap();
        assert_eq!(resource(&juliet, "AwesomeXMPP", "x1"), "AwesomeXMPP/x1");
        assert_eq!(resource(&juliet, "", "x1"), "x1");
        assert_eq!(resource(&juliet, "bad\u{0}tag", "x1"), "x1");
        assert_eq!(resource(&juliet, &"long".repeat(100), "x1"), "x1");
    }
}
