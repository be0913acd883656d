//! The GS2 header that opens SCRAM's first message (RFC 5801 section 4, RFC 5802 sections 6 and 7).

use super::message::saslname;
use crate::sasl::error::Refusal;

/// What the client says about channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag<'a> {
    /// `n`: the client does not support it.
    Unsupported,
    /// `y`: the client supports it and thinks that the server does not.
    ThoughtAbsent,
    /// `p=`: the client binds to the channel by the type of this name.
    Required(&'a str),
}

/// `gs2-header`, without the message that follows it.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub flag: Flag<'a>,
    /// The authorization identity, decoded; `None` when absent.
    pub authzid: Option<String>,
    /// The header as it was sent, with both its commas: the client repeats it in `c=`.
    pub raw: &'a str,
}

/// Splits a client's first message into its GS2 header and `client-first-message-bare`.
pub(super) fn split(message: &str) -> Result<(Header<'_>, &str), Refusal> {
    const INCOMPLETE: Refusal = Refusal::malformed("the GS2 header is incomplete");
    let (flag, rest) = message.split_once(',').ok_or(INCOMPLETE)?;
    let (authzid, bare) = rest.split_once(',').ok_or(INCOMPLETE)?;
    let raw = message.strip_suffix(bare).ok_or(INCOMPLETE)?;
    let authzid = match authzid.strip_prefix("a=") {
        Some(encoded) => Some(saslname(encoded)?),
        None if authzid.is_empty() => None,
        None => return Err(Refusal::malformed("the GS2 header has something else than an authorization identity")),
    };
    Ok((Header { flag: self::flag(flag)?, authzid, raw }, bare))
}

fn flag(flag: &str) -> Result<Flag<'_>, Refusal> {
    match flag {
        "n" => Ok(Flag::Unsupported),
        "y" => Ok(Flag::ThoughtAbsent),
        _ => match flag.strip_prefix("p=") {
            Some(name) if is_binding_name(name) => Ok(Flag::Required(name)),
            _ => Err(Refusal::malformed("the channel-binding flag is none of n, y and p=")),
        },
    }
}

/// `cb-name = 1*(ALPHA / DIGIT / "." / "-")`
fn is_binding_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_taken_apart() {
        let (header, bare) =
            split("p=tls-exporter,a=r=3Dm=2Co,n=juliet,r=abc").unwrap_or_else(|r| panic!("{}", r.reason));
        assert_eq!(header.flag, Flag::Required("tls-exporter"));
        assert_eq!(header.raw, "p=tls-exporter,a=r=3Dm=2Co,");
        assert_eq!(header.authzid.as_deref(), Some("r=m,o"));
        assert_eq!(bare, "n=juliet,r=abc");
        assert_eq!(split("y,,x").unwrap().0.flag, Flag::ThoughtAbsent);
        assert_eq!(split("n,,").unwrap().0.raw, "n,,");
    }

    #[test]
    fn other_headers_are_refused() {
        for message in [
            "",
            "n",
            "n,",
            "x,,n=a",
            "N,,n=a",
            "p,,n=a",
            "p=,,n=a",
            "p=tls exporter,,n=a",
            "n,b=x,n=a",
            "n,a=,n=a",
            "n,a=x=y,n=a",
        ] {
            assert!(split(message).is_err(), "{message}");
        }
    }
}
