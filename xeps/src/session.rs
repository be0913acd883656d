//! The session request of RFC 3921 section 3: a formality since RFC 6121, which old clients still go through.

use crate::context::Cx;
use crate::feature::{About, Answer, At, Feature, Halt, IqKey, Request, Scope};
use async_trait::async_trait;
use wire::ns;

static ABOUT: About = About {
    name: "session",
    iq: &[IqKey::set(Scope::Own, "session", ns::SESSION), IqKey::set(Scope::Server, "session", ns::SESSION)],
    ..About::NOTHING
};

/// The feature. The stream features announce it, as optional.
pub struct LegacySession;

#[async_trait]
impl Feature for LegacySession {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    /// A bound resource is a session: there is nothing left to do.
    async fn iq(&self, _: &mut Cx<'_>, _: At<'_>, _: &Request<'_>) -> Result<Answer, Halt> {
        Ok(Answer::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn an_old_client_goes_on() {
        let world = World::new(vec![Box::new(LegacySession)]).with_account("romeo", "secret");
        let mut world = world.with_session("romeo@example.org/orchard");
        for to in ["", " to='example.org'"] {
            let request = format!("<iq type='set' id='s'{to}><session xmlns='{}'/></iq>", ns::SESSION);
            let answer = world.asks("romeo@example.org/orchard", &request);
            assert!(answer.contains("type='result'"), "{answer}");
        }
    }
}
