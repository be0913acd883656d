//! From text to address: the split at `/` and `@` (RFC 7622 section 3.2), and the short road of addresses already in normal form.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memchr;

use super::{Jid, JidError, MAX_PART, Part, domain, local, resource};

/// A part longer than this cannot shrink to [`MAX_PART`] (normalisation and width mapping save three quarters at most),
/// so that nobody can make the server normalise megabytes.
const MAX_UNPREPARED: usize = 4 * MAX_PART;

pub(super) fn parse(text: &str) -> Result<Jid, JidError> {
    let parts = split(text);
    if parts.are_normal() {
        return Ok(parts.into_jid(text));
    }
    from_parts(parts.local, parts.domain, parts.resource)
}

pub(super) fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Jid, JidError> {
    let local = local.map(local::prepare).transpose()?;
    let domain = domain::prepare(domain)?;
    let resource = resource.map(resource::prepare).transpose()?;
    Ok(join(local.as_deref(), &domain, resource.as_deref()))
}

/// An address of parts that are prepared already.
pub(super) fn join(local: Option<&str>, domain: &str, resource: Option<&str>) -> Jid {
    let mut text = String::with_capacity(
        local.map_or(0, |local| local.len() + 1) + domain.len() + resource.map_or(0, |resource| resource.len() + 1),
    );
    if let Some(local) = local {
        text.push_str(local);
        text.push('@');
    }
    text.push_str(domain);
    if let Some(resource) = resource {
        text.push('/');
        text.push_str(resource);
    }
    Parts { local, domain, resource }.into_jid(&text)
}

/// The length rules, which are the same for each part, around the preparation of one part.
pub(super) fn prepare_part<'a>(
    part: Part,
    text: &'a str,
    prepare: impl FnOnce(&'a str) -> Result<Cow<'a, str>, JidError>,
) -> Result<Cow<'a, str>, JidError> {
    if text.is_empty() {
        return Err(JidError::Empty(part));
    }
    if text.len() > MAX_UNPREPARED {
        return Err(JidError::TooLong(part));
    }
    let prepared = prepare(text)?;
    match prepared.len() {
        0 => Err(JidError::Empty(part)),
        1..=MAX_PART => Ok(prepared),
        _ => Err(JidError::TooLong(part)),
    }
}

struct Parts<'a> {
    local: Option<&'a str>,
    domain: &'a str,
    resource: Option<&'a str>,
}

/// The resource begins after the first `/`; what stands before the first `@` of the rest is the localpart.
fn split(text: &str) -> Parts<'_> {
    let (bare, resource) = split_around(text, b'/').map_or((text, None), |(bare, resource)| (bare, Some(resource)));
    let (local, domain) = split_around(bare, b'@').map_or((None, bare), |(local, domain)| (Some(local), domain));
    Parts { local, domain, resource }
}

fn split_around(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr(byte, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl Parts<'_> {
    /// True when preparation would accept each part and change nothing: what nearly every address on the wire is.
    fn are_normal(&self) -> bool {
        self.local.is_none_or(local::is_normal_ascii)
            && domain::is_normal_ascii(self.domain)
            && self.resource.is_none_or(resource::is_normal_ascii)
    }

    /// `text` is these parts joined. Prepared parts are at most 1023 bytes each, so that the offsets fit 16 bits.
    fn into_jid(self, text: &str) -> Jid {
        let local_len = self.local.map_or(0, str::len);
        let bare_len = self.local.map_or(0, |local| local.len() + 1) + self.domain.len();
        Jid { text: Arc::from(text), local_len: local_len as u16, bare_len: bare_len as u16 }
    }
}
