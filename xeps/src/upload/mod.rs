//! HTTP file upload (XEP-0363): the service that gives out slots. The files themselves come and go over HTTP, which is the
//! server's affair; what both sides must agree on is here: [`slot`] and [`ledger`].

pub mod ledger;
mod quota;
pub mod slot;

pub use quota::{Full, Quota, Used};

use crate::context::Cx;
use crate::desk::{Clerk, ITEMS, Office};
use crate::feature::{About, Coverage, Halt, Xep};
use crate::form::{Field, Form, FormType};
use crate::info::{self, Info};
use async_trait::async_trait;
use slot::{Secret, Slot};
use std::time::Duration;
use wire::jid::BareJid;
use wire::stanza::{Condition, ErrorType, IqType, Stanza, StanzaError};
use wire::xml::Element;

const NS: &str = "urn:xmpp:http:upload:0";

/// A file name that is longer than file systems take helps nobody.
const LONGEST_NAME: usize = 255;
const LONGEST_TYPE: usize = 127;

pub static ABOUT: About = About {
    name: "upload",
    xeps: &[Xep { number: 363, version: "1.2.0", coverage: Coverage::Complete, note: "without the optional purposes" }],
    ..About::NOTHING
};

/// How files are taken.
#[derive(Clone, Debug)]
pub struct Config {
    /// The service's domain.
    pub domain: BareJid,
    /// What stands before the path in a URL: scheme, name, and port.
    pub base: String,
    /// Seals slots.
    pub secret: Secret,
    /// Bytes of one file.
    pub max_size: u64,
    /// How many bytes all files may have.
    pub quota: Quota,
    /// How long a file is kept; None: for ever.
    pub expiry: Option<Duration>,
}

/// How long a slot may be used. The upload must have begun by then.
const SLOT_LASTS: Duration = Duration::from_secs(300);

/// The service that gives out slots.
pub struct Upload {
    config: Config,
}

impl Upload {
    pub fn new(config: Config) -> Office<Upload> {
        Office::new(Upload { config })
    }
}

#[async_trait]
impl Clerk for Upload {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn title(&self) -> &'static str {
        "HTTP File Upload"
    }

    fn domain(&self) -> &BareJid {
        &self.config.domain
    }

    fn info(&self) -> Info {
        let mut info = Info::default().identity("store", "file", Some("HTTP File Upload"));
        [NS, info::NS, ITEMS].iter().for_each(|feature| info.add_feature(feature));
        let size = Field::new("max-file-size").value(self.config.max_size.to_string());
        info.forms.push(Form::new(FormType::Result, NS).field(size));
        info
    }

    async fn asked(&self, cx: &mut Cx<'_>, stanza: &Stanza, request: &Element) -> Result<Element, Halt> {
        match stanza.kind == IqType::Get.into() && request.is("request", NS) {
            true => self.slot(cx, stanza, request).await,
            false => Err(Condition::ServiceUnavailable.into()),
        }
    }
}

impl Upload {
    /// Sections 4 and 6.
    async fn slot(&self, cx: &mut Cx<'_>, stanza: &Stanza, request: &Element) -> Result<Element, Halt> {
        let config = &self.config;
        let owner = stanza.from.as_ref().map(|from| from.to_bare());
        // Only who has an account here may leave files here.
        let Some(owner) = owner.filter(|owner| owner.domain() == cx.host.domain.as_str() && owner.local().is_some())
        else {
            return Err(Condition::Forbidden.into());
        };
        let (name, size) = (request.attr("filename"), request.attr("size"));
        let content_type = request.attr("content-type").filter(|given| !given.is_empty());
        let (Some(name), Some(size)) = (name.filter(|name| is_name(name)), size.and_then(|size| size.parse().ok()))
        else {
            return Err(malformed("'filename' and 'size' are needed, a name without slashes and a number of bytes"));
        };
        if content_type.is_some_and(|given| !is_media_type(given)) {
            return Err(malformed("'content-type' is not a media type"));
        }
        if size > config.max_size {
            return Err(self.too_large(config.max_size).into());
        }
        let used = ledger::used(cx.store, config.domain.as_str(), &owner).await?;
        if let Err(full) = config.quota.admits(used, size) {
            return Err(self.over_quota(cx, full).await?.into());
        }
        let now = cx.clock.now();
        let slot = Slot {
            id: slot::new_id(now, &cx.clock.id()),
            name: name.to_owned(),
            owner,
            size,
            content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
            until: now.checked_add(SLOT_LASTS).unwrap_or(now).millis(),
        };
        let get = format!("{}{}", config.base, slot.path());
        let put = format!("{get}?v={}", slot.proof(&config.secret));
        Ok(Element::new("slot", NS)
            .with_child(Element::new("put", NS).with_attr("url", put))
            .with_child(Element::new("get", NS).with_attr("url", get)))
    }

    fn too_large(&self, most: u64) -> StanzaError {
        let most_element = Element::new("max-file-size", NS).with_text(most.to_string());
        StanzaError::new(Condition::NotAcceptable)
            .with_text(format!("the file is too large: the most is {most} bytes"))
            .with_extra(Element::new("file-too-large", NS).with_child(most_element))
    }

    /// Section 6. At the latest it is worth trying again when a file of the user's that comes now goes: all others are older then;
    /// with a full service, when its oldest file goes.
    async fn over_quota(&self, cx: &Cx<'_>, full: Full) -> Result<StanzaError, Halt> {
        let config = &self.config;
        let text = match full {
            Full::User => format!("your files would take more than {} bytes", config.quota.user),
            Full::Host => {
                tracing::warn!(service = %config.domain, "uploads are refused: all files have taken the room of host_quota");
                "there is no room for more files on this server".to_owned()
            }
        };
        let error = StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait).with_text(text);
        let Some(expiry) = config.expiry else { return Ok(error) };
        let now = cx.clock.now();
        let since = match full {
            Full::User => now,
            Full::Host => ledger::oldest(cx.store, config.domain.as_str()).await?.unwrap_or(now),
        };
        Ok(match since.checked_add(expiry) {
            Some(then) => error.with_extra(Element::new("retry", NS).with_attr("stamp", then.max(now).format())),
            None => error,
        })
    }
}

fn malformed(text: &str) -> Halt {
    StanzaError::new(Condition::BadRequest).with_text(text).into()
}

/// One part of a path that is no way to another.
fn is_name(name: &str) -> bool {
    let part = !name.is_empty() && name != "." && name != ".." && name.len() <= LONGEST_NAME;
    part && !name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

/// A type and a subtype, with or without parameters (RFC 9110 section 8.3.1), fit for a header.
fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let graphic = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    text.len() <= LONGEST_TYPE && graphic && essence.split_once('/').is_some_and(|(a, b)| token(a) && token(b))
}
