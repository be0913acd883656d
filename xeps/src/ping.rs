//! Pings (XEP-0199): the server answers for itself and on behalf of accounts.
//!
//! The server sends none of its own: idle connections are the stream's affair. A ping for somebody else's account is answered
//! only to those who may see its presence, so that it cannot be used to find out which accounts exist.

use crate::access::may_see_presence;
use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use async_trait::async_trait;
use wire::stanza::Condition;

const NS: &str = "urn:xmpp:ping";

static ABOUT: About = About {
    name: "ping",
    xeps: &[Xep { number: 199, version: "2.0.1", coverage: Coverage::Complete, note: "" }],
    server_features: &[NS],
    account_features: &[NS],
    iq: &[
        IqKey::get(Scope::Server, "ping", NS),
        IqKey::get(Scope::Own, "ping", NS),
        IqKey::get(Scope::Other, "ping", NS),
    ],
    ..About::NOTHING
};

/// The feature.
pub struct Ping;

#[async_trait]
impl Feature for Ping {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, at: At<'_>, request: &Request<'_>) -> Result<Answer, Halt> {
        if let At::Other(account) = at
            && !may_see_presence(cx.store, account, request.stanza.from.as_ref()).await?
        {
            return Err(Condition::ServiceUnavailable.into());
        }
        Ok(Answer::Done)
    }
}
