//! Downgrade protection (XEP-0474): the server's first message carries a hash of what the client was offered, which the proofs then cover.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::sasl::{ChannelBindings, Hash, Mechanism};

/// Between two names of one list, and between the two lists. XML 1.0 allows neither character, so no name can hold them.
const BETWEEN_NAMES: &str = "\x1e";
const BETWEEN_LISTS: &str = "\x1f";

/// The string that is hashed (XEP-0474 section 6.1, steps 1 to 4); None when no mechanism was offered.
///
/// Of the mechanisms only those count that the profile in use has listed. The channel bindings are there when there was a list of them
/// (XEP-0440), which is when there is anything to bind to.
pub(super) fn offer(mechanisms: &[Mechanism], bindings: &ChannelBindings) -> Option<String> {
    if mechanisms.is_empty() {
        return None;
    }
    let mut offer = sorted(mechanisms.iter().map(|mechanism| mechanism.name()));
    if !bindings.is_empty() {
        offer.push_str(BETWEEN_LISTS);
        offer.push_str(&sorted(bindings.types().map(|kind| kind.name())));
    }
    Some(offer)
}

/// The attribute `h` (step 5), with the hash of the SCRAM mechanism in use.
pub(super) fn attribute(hash: Hash, offer: &str) -> String {
    format!(",h={}", BASE64.encode(hash.digest(offer.as_bytes())))
}

/// "i;octet" collation (RFC 4790 section 9.3), which is the order of the bytes.
fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.join(BETWEEN_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of XEP-0474 section 6.3.
    #[test]
    fn the_example_of_the_specification() {
        let bindings = ChannelBindings { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]) };
        let offer = offer(&[Mechanism::ScramSha1Plus, Mechanism::ScramSha1], &bindings).unwrap();
        assert_eq!(offer, "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point");
        assert_eq!(attribute(Hash::Sha1, &offer), ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    }

    #[test]
    fn without_channel_binding_there_is_no_second_list() {
        let none = ChannelBindings::default();
        let offer = |mechanisms: &[Mechanism]| offer(mechanisms, &none);
        assert_eq!(offer(&[Mechanism::ScramSha256, Mechanism::Plain]).as_deref(), Some("PLAIN\x1eSCRAM-SHA-256"));
        assert_eq!(offer(&[]), None);
    }
}
