//! The inside of a start tag, letter by letter (XML 1.0 section 3.1): a name, then attributes with white space before each.

use memchr::memchr;

use super::XmlError;
use super::chars::{is_space, name_len};

/// The attributes of one start tag as they are spelled.
pub(super) struct Attributes<'a> {
    rest: &'a str,
    at: usize,
}

/// One attribute as it is spelled: the value without quotes, not yet decoded.
pub(super) struct Spelled<'a> {
    pub name: &'a str,
    pub value: &'a str,
    pub name_at: usize,
    pub value_at: usize,
}

/// Splits a start or empty-element tag, `<` to `>`, that begins at byte `at` of its frame.
#[inline]
pub(super) fn split(tag: &str, at: usize) -> Result<(&str, Attributes<'_>), XmlError> {
    let inner = tag.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or_default();
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    match inner.split_at_checked(name_len(inner)) {
        Some((name, rest)) if !name.is_empty() => Ok((name, Attributes { rest, at: at + 1 + name.len() })),
        _ => Err(XmlError::malformed("a tag without a proper name", at)),
    }
}

impl<'a> Attributes<'a> {
    /// The next attribute, or `None` at the end of the tag.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Spelled<'a>>, XmlError> {
        let blank = self.skip_space();
        if self.rest.is_empty() {
            return Ok(None);
        }
        let name_at = self.at;
        let len = name_len(self.rest);
        if !blank || len == 0 {
            return Err(XmlError::malformed("an attribute must be white space and a name", name_at));
        }
        let name = self.take(len);
        self.skip_space();
        if self.take(1) != "=" {
            return Err(XmlError::malformed("an attribute without '='", name_at));
        }
        self.skip_space();
        let quote = self.rest.as_bytes().first().copied().filter(|q| matches!(q, b'"' | b'\''));
        let quote = quote.ok_or(XmlError::malformed("an attribute value without quotes", self.at))?;
        self.take(1);
        let value_at = self.at;
        let len = memchr(quote, self.rest.as_bytes()).ok_or(XmlError::malformed("an unfinished attribute", name_at))?;
        let value = self.take(len);
        self.take(1);
        Ok(Some(Spelled { name, value, name_at, value_at }))
    }

    /// Whether there was any.
    #[inline]
    fn skip_space(&mut self) -> bool {
        let width = self.rest.bytes().take_while(|&b| is_space(b)).count();
        self.take(width);
        width > 0
    }

    /// The next `len` bytes; nothing if they end within a character, which callers then refuse as not what they want.
    #[inline]
    fn take(&mut self, len: usize) -> &'a str {
        let (head, tail) = self.rest.split_at_checked(len).unwrap_or_default();
        if head.len() == len {
            self.rest = tail;
            self.at += len;
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(tag: &str) -> Result<Vec<(&str, &str)>, XmlError> {
        let (name, mut attributes) = split(tag, 0)?;
        let mut all = vec![(name, "")];
        while let Some(a) = attributes.next()? {
            assert_eq!(tag.get(a.name_at..a.name_at + a.name.len()), Some(a.name));
            assert_eq!(tag.get(a.value_at..a.value_at + a.value.len()), Some(a.value));
            all.push((a.name, a.value));
        }
        Ok(all)
    }

    #[test]
    fn spelled_out() {
        assert_eq!(spell("<a>").unwrap(), [("a", "")]);
        assert_eq!(spell("<a \n/>").unwrap(), [("a", "")]);
        assert_eq!(spell("<p:a b='1'\tc = \"it's\" />").unwrap(), [("p:a", ""), ("b", "1"), ("c", "it's")]);
    }

    #[test]
    fn refused() {
        for bad in [
            "<>",
            "</>",
            "< a>",
            "<1>",
            "<a//>",
            "<a / >",
            "<a /b='c'/>",
            "<a b>",
            "<a b=>",
            "<a b=c>",
            "<a b='c'd='e'>",
            "<a ='c'>",
            "<a bé>",
            "<a b é='c'>",
            "<a b='c>",
            "<a@b>",
            "<a'b>",
            "<a b=é>",
            "<é\u{D7}>",
        ] {
            assert!(spell(bad).is_err(), "{bad}");
        }
    }
}
