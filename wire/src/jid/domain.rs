//! Domainparts (RFC 7622 section 3.2): a domain name as U-labels, an IPv4 address or an IPv6 literal in brackets.
//!
//! Names are mapped and checked by UTS #46 (case, width, normalisation, bidi rule, Punycode, hyphens, letters-digits-hyphen), and then
//! held to IDNA2008 as RFC 7622 asks: UTS #46 alone would let symbols, and with them look-alikes of `/` and `.`, into names.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::parse::prepare_part;
use super::{JidError, MAX_PART, Part};
use crate::precis;

/// RFC 1035 section 2.3.4, RFC 5890 section 2.3.2.1: the most bytes of a label, as it stands in the DNS.
const MAX_LABEL: usize = 63;

/// UTS #46 section 2.3: a label may be ended by any of these.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

pub(super) fn prepare(text: &str) -> Result<Cow<'_, str>, JidError> {
    if is_normal_ascii(text) {
        return Ok(Cow::Borrowed(text));
    }
    prepare_part(Part::Domain, text, |text| {
        // Section 3.2: a final dot is stripped before anything else.
        let text = text.strip_suffix(DOTS).unwrap_or(text);
        match text.strip_prefix('[') {
            Some(literal) => ipv6(literal).map(Cow::Owned),
            None if text.is_empty() => Err(JidError::Empty(Part::Domain)),
            None => name(text),
        }
    })
}

/// True for what [`prepare`] accepts and leaves alone, as far as this can be seen from bytes.
pub(super) fn is_normal_ascii(text: &str) -> bool {
    if text.len() > MAX_PART {
        return false;
    }
    let mut label = Label::default();
    for byte in text.bytes() {
        match byte {
            b'.' if label.is_complete() => label = Label::default(),
            b'a'..=b'z' | b'0'..=b'9' => label.push(false),
            b'-' if label.takes_hyphen() => label.push(true),
            _ => return false,
        }
    }
    label.is_complete()
}

/// What is known of the label being read.
#[derive(Default)]
struct Label {
    len: usize,
    after_hyphen: bool,
}

impl Label {
    fn push(&mut self, hyphen: bool) {
        self.len += 1;
        self.after_hyphen = hyphen;
    }

    /// Not first, and not third and fourth: `xn--` and its like need the long way (RFC 5890 section 2.3.1).
    fn takes_hyphen(&self) -> bool {
        self.len > 0 && !(self.len == 3 && self.after_hyphen)
    }

    fn is_complete(&self) -> bool {
        matches!(self.len, 1..=MAX_LABEL) && !self.after_hyphen
    }
}

/// What follows the `[`. Section 3.2 refers to RFC 5952 by way of RFC 6120: one address has one text.
fn ipv6(literal: &str) -> Result<String, JidError> {
    let address: Ipv6Addr = literal.strip_suffix(']').and_then(|text| text.parse().ok()).ok_or(JidError::NotADomain)?;
    Ok(format!("[{address}]"))
}

fn name(text: &str) -> Result<Cow<'_, str>, JidError> {
    let uts46 = Uts46::new();
    let (unicode, valid) = uts46.to_unicode(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    valid.map_err(|_| JidError::NotADomain)?;
    let ascii = uts46
        .to_ascii(unicode.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore)
        .map_err(|_| JidError::NotADomain)?;
    let lengths_fit = ascii.split('.').all(|label| matches!(label.len(), 1..=MAX_LABEL));
    if !lengths_fit || !unicode.split('.').all(precis::is_idna2008_label) {
        return Err(JidError::NotADomain);
    }
    Ok(unicode)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::{is_normal_ascii, name};

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7622), ..ProptestConfig::default() })]

        /// The quick answer for ASCII is the one that UTS #46 and IDNA2008 give, but for Punycode, which is not its affair.
        #[test]
        fn quick_and_thorough_answers_agree(text in "[a-cA-C0-9._-]{1,10}|[ab]{60,66}(\\.[a-]{1,5})?") {
            let unchanged = name(&text).is_ok_and(|prepared| prepared == text);
            prop_assert_eq!(is_normal_ascii(&text), unchanged, "{:?}", text);
        }
    }

    #[test]
    fn punycode_takes_the_thorough_way() {
        assert!(!is_normal_ascii("xn--bcher-kva"));
        assert_eq!(name("xn--bcher-kva").unwrap(), "b\u{fc}cher");
    }
}
