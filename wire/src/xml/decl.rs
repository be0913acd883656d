//! The XML declaration (XML 1.0 section 2.8) as RFC 6120 sections 11.5, 11.6 and 11.8 allow it: version 1.0, UTF-8.

use super::XmlError;
use super::chars::is_space;

/// Checks a whole declaration, `<?xml` to `?>`.
pub(super) fn check(decl: &str) -> Result<(), XmlError> {
    let body = decl.strip_prefix("<?xml").and_then(|d| d.strip_suffix("?>"));
    let mut rest = body.ok_or(XmlError::malformed("a broken XML declaration", 0))?;
    let at = |rest: &str| decl.len() - 2 - rest.len();

    match pseudo_attribute(&mut rest) {
        Some(("version", "1.0")) => {}
        Some(("version", v)) if is_version(v) => {
            return Err(XmlError::restricted("an XML version other than 1.0", at(rest)));
        }
        _ => return Err(XmlError::malformed("no version at the head of the XML declaration", at(rest))),
    }
    let mut next = pseudo_attribute(&mut rest);
    if let Some(("encoding", name)) = next {
        if !is_encoding_name(name) {
            return Err(XmlError::malformed("a broken encoding name", at(rest)));
        }
        if !name.eq_ignore_ascii_case("utf-8") {
            return Err(XmlError::Encoding { what: "an encoding other than UTF-8", at: at(rest) });
        }
        next = pseudo_attribute(&mut rest);
    }
    if let Some(("standalone", "yes" | "no")) = next {
        next = None;
    }
    if next.is_some() || !rest.bytes().all(is_space) {
        return Err(XmlError::malformed("a broken XML declaration", at(rest)));
    }
    Ok(())
}

/// Takes white space, a name, `=` and a quoted value off the front of `rest`; takes nothing if they are not there.
fn pseudo_attribute<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    let trimmed = trim(rest);
    if trimmed.len() == rest.len() {
        return None;
    }
    let (name, tail) = trimmed.split_once('=')?;
    let name = name.trim_end_matches(SPACES);
    let tail = trim(tail);
    let quote = tail.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (value, tail) = tail.strip_prefix(quote)?.split_once(quote)?;
    *rest = tail;
    Some((name, value))
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

fn trim(text: &str) -> &str {
    text.trim_start_matches(SPACES)
}

fn is_version(value: &str) -> bool {
    value.strip_prefix("1.").is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()))
}

fn is_encoding_name(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        for good in [
            "<?xml version='1.0'?>",
            "<?xml version=\"1.0\" ?>",
            "<?xml version = '1.0' encoding=\"utf-8\"?>",
            "<?xml\tversion='1.0'\nencoding='UTF-8' standalone='yes' ?>",
            "<?xml version='1.0' standalone='no'?>",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn refused_with_its_condition() {
        for (bad, condition) in [
            ("<?xml?>", "not-well-formed"),
            ("<?xml encoding='UTF-8'?>", "not-well-formed"),
            ("<?xml version='1.0'encoding='UTF-8'?>", "not-well-formed"),
            ("<?xml version='abc'?>", "not-well-formed"),
            ("<?xml version='1.0' standalone='maybe'?>", "not-well-formed"),
            ("<?xml version='1.0' standalone='yes' encoding='UTF-8'?>", "not-well-formed"),
            ("<?xml version='1.0' encoding=''?>", "not-well-formed"),
            ("<?xml version='1.0' version='1.0'?>", "not-well-formed"),
            ("<?xml version='1.1'?>", "restricted-xml"),
            ("<?xml version='1.0' encoding='ISO-8859-1'?>", "unsupported-encoding"),
        ] {
            assert_eq!(check(bad).unwrap_err().condition(), condition, "{bad}");
        }
    }
}
