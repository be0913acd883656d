//! Streams that their clients may resume at once (XEP-0397): the tokens for that, and what becomes of a stream when somebody tries with a
//! wrong one.
//!
//! A token is as good as a password for as long as its session lasts, and is kept as those of XEP-0484 are: the store has the salt that it is
//! made from, and the key lies elsewhere. It goes with its session, so with the client that is revoked and with the account; and it is void
//! when the account has another password than when it was given.

use crate::engine::outlet::Outlet;
use crate::engine::{Engine, Road};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use compact_str::CompactString;
use tracing::{error, info};
use wire::jid::BareJid;
use wire::sasl::{Fingerprint, Token, TokenCandidate, TokenKey, TokenMechanism};
use wire::stream::management::Enable;
use wire::stream::{Random, StreamCondition};
use wire::xml::Element;
use xeps::Act;
use xeps::accounts;
use xeps::devices::{Login, Salt};
use xeps::store::{Position, StoreError};

/// What tokens are made from.
pub struct Secrets {
    pub tokens: TokenKey,
    /// For what must never be the same twice.
    pub random: Random,
}

/// By what a stream may be resumed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isr {
    /// The one mechanism for it, of the client's choice (section 4).
    pub mechanism: TokenMechanism,
    /// What the token is made from. Each is for one time.
    pub salt: Salt,
    /// The password that the account had then, if it had one.
    pub password: Option<Fingerprint>,
}

/// What has become of the wish for another token.
#[derive(Debug)]
pub enum Renewal {
    /// It is on disk; and so the client is named among those of the account, if it has said who it is.
    Renewed { token: Token, device: Option<CompactString> },
    /// The stream cannot be resumed at once.
    NotInstant,
    /// There is no such stream.
    NoStream,
    /// The token that was shown is none any more.
    Void,
}

/// The element of [`Isr`] in the record of its stream.
pub const NAME: &str = "isr";

impl Isr {
    pub fn to_element(&self, ns: &'static str) -> Element {
        Element::new(NAME, ns)
            .with_attr("mechanism", self.mechanism.name())
            .with_attr("salt", BASE64.encode(self.salt))
            .maybe_attr("password", self.password.map(|password| BASE64.encode(password)))
    }

    pub fn from_element(element: &Element) -> Option<Isr> {
        let octets = |name: &str| Some(BASE64.decode(element.attr(name)?).ok());
        let password = octets("password").map(|password| password?.try_into().ok());
        Some(Isr {
            mechanism: element.attr("mechanism")?.parse().ok()?,
            salt: octets("salt")??.try_into().ok()?,
            password: match password {
                None => None,
                Some(password) => Some(password?),
            },
        })
    }

    /// None does not happen: see [`TokenKey::token`].
    fn token(&self, key: &TokenKey, user: &BareJid, stream: &str) -> Option<Token> {
        key.token(&["isr", user.as_str(), stream, self.mechanism.name()], &self.salt)
    }
}

impl Engine {
    /// The token for a stream that begins to be counted, if its client wants one.
    pub(super) async fn isr(&self, user: &BareJid, stream: &str, wish: &Enable) -> Option<(Isr, Token)> {
        let mechanism = wish.isr?;
        match accounts::find(self.store.as_ref(), user).await {
            Ok(account) => {
                let password = account?.credentials.and_then(|credentials| credentials.fingerprint());
                let isr = Isr { mechanism, salt: self.salt(), password };
                let token = isr.token(&self.secrets.tokens, user, stream)?;
                Some((isr, token))
            }
            Err(error) => {
                error!(%error, %user, "the store failed: a stream cannot be resumed at once");
                None
            }
        }
    }

    /// The token by which a stream of this user may be resumed, if it is by this mechanism and this is the account's password; with the salt
    /// that names it.
    pub async fn isr_token(
        &self,
        user: &BareJid,
        stream: &str,
        mechanism: TokenMechanism,
        password: Option<Fingerprint>,
    ) -> Option<(Salt, TokenCandidate)> {
        let entry = self.awake.find(user.as_str())?;
        let mut lane = entry.lane().await;
        let isr = lane.stream(stream)?.resumable.as_ref()?.isr.as_ref()?;
        let token = isr.token(&self.secrets.tokens, user, stream)?;
        let is_valid = isr.mechanism == mechanism && isr.password == password;
        is_valid.then_some((isr.salt, TokenCandidate { token, expired: false }))
    }

    /// Replaces the token of a stream, for a client that has proved who it is: by the token of this salt, which is worth nothing from now on
    /// (section 5.2.1), or, with None, otherwise, and then it has most likely lost its token.
    pub async fn renew_isr_token(
        &self,
        user: &BareJid,
        stream: &str,
        spent: Option<Salt>,
        password: Option<Fingerprint>,
    ) -> Result<Renewal, StoreError> {
        let Some(entry) = self.awake.find(user.as_str()) else { return Ok(Renewal::NoStream) };
        let (renewed, written) = {
            let mut lane = entry.lane().await;
            let Some(outlet) = lane.stream(stream) else { return Ok(Renewal::NoStream) };
            let id = outlet.id;
            let isr = outlet.resumable.as_mut().and_then(|resumable| resumable.isr.as_mut());
            let Some(isr) = isr else { return Ok(Renewal::NotInstant) };
            if spent.is_some_and(|salt| salt != isr.salt || isr.password != password) {
                return Ok(Renewal::Void);
            }
            *isr = Isr { mechanism: isr.mechanism, salt: self.salt(), password };
            let Some(token) = isr.token(&self.secrets.tokens, user, stream) else { return Ok(Renewal::NotInstant) };
            let batch = lane.saves_session(&entry.served.host.registry, id);
            let committed = self.store.commit(batch).await?;
            let login = lane.account.session(id).and_then(|session| session.states.get::<Login>());
            let device = login.and_then(|login| login.device.clone());
            (Renewal::Renewed { token, device }, committed.position)
        };
        self.store.durable(written).await?;
        Ok(renewed)
    }

    /// Somebody has tried to resume a stream of this user at once and could not prove to be the user: its session ends (section 5.2.4), as
    /// any other does, so that what it was never given goes back on the road. Only of a stream whose client has asked for such tokens.
    pub async fn end_guessed(&self, user: &BareJid, stream: &str) {
        let Some(entry) = self.awake.find(user.as_str()) else { return };
        let mut road = Road::new(None, None, Position::default());
        {
            let _turn = entry.turn().await;
            {
                let mut lane = entry.lane().await;
                let instant =
                    |outlet: &&mut Outlet| outlet.resumable.as_ref().is_some_and(|stream| stream.isr.is_some());
                let Some(id) = lane.stream(stream).filter(instant).map(|outlet| outlet.id) else { return };
                info!(%user, "a session ends: somebody could not prove to be its client");
                let end = vec![Act::Close(id, StreamCondition::NotAuthorized)];
                self.settle(&mut lane, &entry, end, &mut road).await;
            }
            self.travel(&mut road).await;
        }
        self.awake.release(entry);
        if let Err(error) = self.store.durable(road.written).await {
            error!(%error, %user, "the store failed: a session may come back that has ended");
        }
    }

    fn salt(&self) -> Salt {
        let mut salt = Salt::default();
        (self.secrets.random)(&mut salt);
        salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn isr() -> Isr {
        Isr { mechanism: TokenMechanism::ServerEndPoint, salt: [1; 16], password: Some([2; 8]) }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        for isr in [isr(), Isr { password: None, ..isr() }] {
            assert_eq!(Isr::from_element(&isr.to_element("oriole:stream")), Some(isr));
        }
        let with = |name, value: &str| isr().to_element("oriole:stream").with_attr(name, value);
        for damaged in [with("salt", "AAAA"), with("salt", "?"), with("password", "AAAA"), with("mechanism", "PLAIN")] {
            assert_eq!(Isr::from_element(&damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn a_token_is_for_one_stream_of_one_user_once() {
        let key = TokenKey::new([7; 32]);
        let user = |name: &str| BareJid::parse(name).unwrap();
        let token = |isr: Isr, name: &str, stream: &str| isr.token(&key, &user(name), stream).unwrap();
        let first = token(isr(), "juliet@example.org", "a");
        assert_eq!(first, token(isr(), "juliet@example.org", "a"));
        assert_ne!(first, token(isr(), "juliet@example.org", "b"));
        assert_ne!(first, token(isr(), "romeo@example.org", "a"));
        assert_ne!(first, token(Isr { salt: [2; 16], ..isr() }, "juliet@example.org", "a"));
        assert_ne!(first, token(Isr { mechanism: TokenMechanism::Unbound, ..isr() }, "juliet@example.org", "a"));
    }
}
