//! The two messages of a SCRAM client (RFC 5802 section 7), parsed as strictly as their grammar is written.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::sasl::error::Refusal;

/// `client-first-message-bare`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    /// The user name, decoded.
    pub username: String,
    pub nonce: &'a str,
}

/// `client-final-message`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    /// `c=`, decoded: the GS2 header and the channel-binding data.
    pub binding: Vec<u8>,
    pub nonce: &'a str,
    pub proof: Vec<u8>,
    /// All before `,p=`, as it was sent: part of what is signed.
    pub without_proof: &'a str,
}

/// Parses `client-first-message-bare`.
pub(super) fn client_first(bare: &str) -> Result<ClientFirst<'_>, Refusal> {
    let mut parts = bare.split(',');
    let first = parts.next().unwrap_or_default();
    if first.starts_with("m=") {
        return Err(Refusal::malformed("extensions-not-supported"));
    }
    let username = saslname(value(Some(first), "n=")?)?;
    let nonce = value(parts.next(), "r=")?;
    if nonce.is_empty() || !nonce.bytes().all(|byte| matches!(byte, 0x21..=0x2b | 0x2d..=0x7e)) {
        return Err(Refusal::malformed("the nonce is empty or not printable"));
    }
    extensions(parts)?;
    Ok(ClientFirst { username, nonce })
}

/// Parses `client-final-message`. The proof is its last attribute: the grammar knows extensions before the proof and none after it.
pub(super) fn client_final(message: &str) -> Result<ClientFinal<'_>, Refusal> {
    let (without_proof, last) = message.rsplit_once(',').ok_or(Refusal::malformed("the proof is missing"))?;
    let proof = decode(value(Some(last), "p=")?)?;
    let mut parts = without_proof.split(',');
    let binding = decode(value(parts.next(), "c=")?)?;
    let nonce = value(parts.next(), "r=")?;
    extensions(parts)?;
    Ok(ClientFinal { binding, nonce, proof, without_proof })
}

/// `saslname = 1*(value-safe-char / "=2C" / "=3D")`, decoded.
pub(super) fn saslname(encoded: &str) -> Result<String, Refusal> {
    if encoded.is_empty() || encoded.contains(['\0', ',']) {
        return Err(Refusal::malformed("a name is empty or holds NUL"));
    }
    let mut pieces = encoded.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (plain, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Refusal::malformed("a name holds = other than in =2C and =3D")),
        };
        name.push(plain);
        name.push_str(rest);
    }
    Ok(name)
}

/// The value of an attribute that must stand here.
fn value<'a>(attribute: Option<&'a str>, start: &str) -> Result<&'a str, Refusal> {
    attribute
        .and_then(|attribute| attribute.strip_prefix(start))
        .ok_or(Refusal::malformed("an attribute is missing or out of order"))
}

/// Optional extensions are ignored when they are unknown (RFC 5802 section 5.1), but must be attributes, each once, and none of those that have
/// their own place.
fn extensions<'a>(attributes: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let mut seen = String::new();
    for attribute in attributes {
        let mut chars = attribute.chars();
        let (name, equals, value) = (chars.next(), chars.next(), chars.as_str());
        let Some(name) = name.filter(char::is_ascii_alphabetic) else {
            return Err(Refusal::malformed("an extension has no name"));
        };
        if equals != Some('=') || value.is_empty() || value.contains('\0') {
            return Err(Refusal::malformed("an extension is not an attribute with a value"));
        }
        if "amnrcpsive".contains(name) || seen.contains(name) {
            return Err(Refusal::malformed("an attribute is out of order or repeated"));
        }
        seen.push(name);
    }
    Ok(())
}

/// Base64 with its padding and without anything else (RFC 5802 section 7, `base64`).
fn decode(value: &str) -> Result<Vec<u8>, Refusal> {
    BASE64.decode(value).map_err(|_| Refusal::malformed("an attribute is not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_message_is_taken_apart() {
        let first = client_first("n=jul=2Ci=3Det,r=fyko+d2,x=ignored,y=a=b").unwrap();
        assert_eq!(first, ClientFirst { username: "jul,i=et".into(), nonce: "fyko+d2" });
    }

    #[test]
    fn other_first_messages_are_refused() {
        for bare in [
            "",
            "n=juliet",
            "r=abc,n=juliet",
            "n=,r=abc",
            "n=juliet,r=",
            "n=juliet,r=a b",
            "n=juliet,r=ä",
            "n=a=2c,r=abc",
            "n=a=,r=abc",
            "n=a=2,r=abc",
            "n=a\0,r=abc",
            "m=x,n=juliet,r=abc",
            "n=juliet,r=abc,",
            "n=juliet,r=abc,x",
            "n=juliet,r=abc,x=",
            "n=juliet,r=abc,xy=1",
            "n=juliet,r=abc,x=1,x=2",
            "n=juliet,r=abc,r=abc",
            "n=juliet,r=abc,n=romeo",
            "n=juliet,r=abc,1=x",
            "n=juliet,r=abc,m=x",
            "n=juliet,r=abc,x=\0",
            "x=1,n=juliet,r=abc",
            "n=juliet,x=1,r=abc",
            "N=juliet,r=abc",
        ] {
            assert!(client_first(bare).is_err(), "{bare:?}");
        }
    }

    #[test]
    fn a_final_message_is_taken_apart() {
        let last = client_final("c=biws,r=abcdef,x=1,p=AAAA").unwrap();
        let expected = ClientFinal {
            binding: b"n,,".to_vec(),
            nonce: "abcdef",
            proof: vec![0; 3],
            without_proof: "c=biws,r=abcdef,x=1",
        };
        assert_eq!(last, expected);
    }

    #[test]
    fn other_final_messages_are_refused() {
        for message in [
            "",
            "c=biws",
            "c=biws,r=abc",
            "r=abc,c=biws,p=AAAA",
            "c=biws,p=AAAA,r=abc",
            "c=biws,r=abc,p=AAAA,x=1",
            "c=biws,r=abc,p=AAA",
            "p=AAAA",
            "c=biws,r=abc,p=AAB=",
            "c=biws,r=abc,p=A AA",
            "c=bi ws,r=abc,p=AAAA",
            "c=biws,r=abc,r=abc,p=AAAA",
            "c=biws,r=abc,p=AAAA,p=AAAA",
            "c=biws,r=abc,p=AA",
            "c=,,r=abc,p=AAAA",
            "c=biws,r=abc,,p=AAAA",
            "c=biws,r=abc,p=AAAA\n",
            "c=biws,r=abc,p=AAA_",
        ] {
            assert!(client_final(message).is_err(), "{message:?}");
        }
    }
}
