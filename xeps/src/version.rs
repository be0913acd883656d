//! The name and version of the server software (XEP-0092). The operating system is told only when the configuration says so
//! (section 5).

use crate::context::Cx;
use crate::feature::{About, Answer, At, Coverage, Feature, Halt, IqKey, Request, Scope, Xep};
use async_trait::async_trait;
use wire::xml::Element;

const NS: &str = "jabber:iq:version";

static ABOUT: About = About {
    name: "version",
    xeps: &[Xep { number: 92, version: "1.1", coverage: Coverage::Complete, note: "" }],
    server_features: &[NS],
    iq: &[IqKey::get(Scope::Server, "query", NS)],
    ..About::NOTHING
};

/// What the server tells of itself besides its name.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Whether to tell the name of the operating system. Off by default: it helps nobody but attackers.
    pub show_os: bool,
}

/// The feature.
pub struct Version {
    config: Config,
}

impl Version {
    pub fn new(config: Config) -> Self {
        Version { config }
    }
}

#[async_trait]
impl Feature for Version {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn iq(&self, _: &mut Cx<'_>, _: At<'_>, _: &Request<'_>) -> Result<Answer, Halt> {
        let part = |name: &str, text: &str| Element::new(name, NS).with_text(text);
        let os = self.config.show_os.then(|| part("os", std::env::consts::OS));
        let query = Element::new("query", NS)
            .with_child(part("name", "Oriole"))
            .with_child(part("version", env!("CARGO_PKG_VERSION")))
            .maybe_child(os);
        Ok(Answer::Result(query))
    }
}
