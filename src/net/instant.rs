//! Going on with a stream that broke, along with the login: inline (XEP-0198 section 9.2), or by a token of the stream itself (XEP-0397).

use super::login::fingerprint;
use super::negotiate::Negotiation;
use crate::engine::{Client, NotResumed, Renewal};
use tracing::{error, info};
use wire::jid::BareJid;
use wire::sasl::{Fingerprint, SaslError, Token};
use wire::stanza::Condition;
use wire::stream::management::{Failed, Resume, TooHigh};
use wire::stream::{Authenticate, Event, InstantResume, Session, not_resumed};
use wire::xml::Element;
use xeps::accounts::AccountRecord;
use xeps::devices::Salt;

/// Why no stream goes on.
pub(super) enum Stays {
    /// The client is told this, and may bind a session.
    Told(Element),
    /// The client claims to have more than it was given.
    TooHigh(TooHigh),
    /// The client is not let in.
    Refused(Option<Event>),
}

impl Negotiation<'_> {
    /// Goes on with the stream that is asked for; None when none is. `token` names the token that the client has shown, if it was one.
    pub(super) async fn go_on(
        &mut self,
        user: &BareJid,
        record: Option<&AccountRecord>,
        request: &Authenticate,
        token: Option<Salt>,
    ) -> Result<Option<(Client, Session)>, Stays> {
        let wish = match (&request.isr, &request.resume) {
            (Some(isr), _) => isr.resume.clone(),
            (None, Some(resume)) => Resume::parse(resume),
            (None, None) => return Ok(None),
        };
        let told = |failed: Failed| match &request.isr {
            Some(_) => Stays::Told(not_resumed(failed)),
            None => Stays::Told(failed.to_element()),
        };
        let next = match &request.isr {
            // A token is spent by showing it. Who shows none loses none by a request that cannot be read.
            Some(InstantResume { by_token, previd: Some(stream), resume }) if *by_token || resume.is_ok() => {
                let spent = token.filter(|_| *by_token);
                self.next_token(user, record.and_then(fingerprint), stream, spent).await?
            }
            _ => None,
        };
        let wish = wish.map_err(told)?;
        match Box::pin(self.shared.engine.resume(user, &wish, Some(self.peer.ip()))).await {
            Ok((client, suspended)) => {
                info!(jid = %client.jid, "the session goes on");
                let jid = client.jid.clone();
                Ok(Some((client, Session::Resumed { jid, suspended, token: next })))
            }
            Err(NotResumed::Failed(failed)) => Err(told(failed)),
            Err(NotResumed::TooHigh(too_high)) => Err(Stays::TooHigh(too_high)),
        }
    }

    /// The stream's token for the next time. The one that was shown is void from here on, whatever follows.
    async fn next_token(
        &mut self,
        user: &BareJid,
        password: Option<Fingerprint>,
        stream: &str,
        spent: Option<Salt>,
    ) -> Result<Option<Token>, Stays> {
        let renewed = self.shared.engine.renew_isr_token(user, stream, spent, password).await;
        match (renewed, spent) {
            (Ok(Renewal::Renewed { token, device }), _) => {
                if spent.is_some() {
                    // Whoever shows the token is the client that it was given to.
                    self.device = device;
                }
                Ok(Some(token))
            }
            // The attempt to resume tells why not.
            (Ok(Renewal::NoStream), None) => Ok(None),
            (Ok(Renewal::NotInstant), None) => Err(Stays::Told(not_resumed(Condition::UnexpectedRequest.into()))),
            (Ok(Renewal::Void | Renewal::NoStream | Renewal::NotInstant), _) => {
                let reason = "the token of the stream has become void";
                Err(Stays::Refused(self.stream.denied(SaslError::NotAuthorized, reason)))
            }
            (Err(error), _) => {
                error!(%error, "the store failed: a login was refused");
                Err(Stays::Refused(self.try_later()))
            }
        }
    }
}
