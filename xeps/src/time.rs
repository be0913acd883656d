//! The time of the server (XEP-0202). The server has no place and so no time zone: it tells UTC with an offset of zero.

use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use async_trait::async_trait;
use wire::xml::Element;

const NS: &str = "urn:xmpp:time";

static ABOUT: About = About {
    name: "time",
    xeps: &[Xep { number: 202, version: "2.0", coverage: Coverage::Complete, note: "" }],
    server_features: &[NS],
    iq: &[IqKey::get(Scope::Server, "time", NS)],
    ..About::NOTHING
};

/// The feature.
pub struct Time;

#[async_trait]
impl Feature for Time {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, cx: &mut Cx<'_>, _: At<'_>, _: &Request<'_>) -> Result<Answer, Halt> {
        let time = Element::new("time", NS)
            .with_child(Element::new("tzo", NS).with_text("+00:00"))
            .with_child(Element::new("utc", NS).with_text(cx.clock.now().format()));
        Ok(Answer::Result(time))
    }
}
