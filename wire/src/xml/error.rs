//! What can be wrong with XML from a peer, and which stream error says so (RFC 6120 section 4.9.3).

/// Why XML was refused. Offsets are bytes from the start of the frame or document in which the fault lies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Violates XML 1.0 or Namespaces in XML 1.0.
    #[error("not well-formed: {what} (at byte {at})")]
    NotWellFormed { what: &'static str, at: usize },
    /// What RFC 6120 section 11.1 forbids: comments, processing instructions, document type declarations, entities.
    #[error("restricted XML: {what} (at byte {at})")]
    Restricted { what: &'static str, at: usize },
    /// A prefix that nothing in scope declares.
    #[error("undeclared namespace prefix {prefix:?} (at byte {at})")]
    UnboundPrefix { prefix: compact_str::CompactString, at: usize },
    /// Not UTF-8, or declared as something else (RFC 6120 section 11.6).
    #[error("unsupported encoding: {what} (at byte {at})")]
    Encoding { what: &'static str, at: usize },
    /// Character data directly inside the stream element (RFC 6120 section 11.7 allows only white space there).
    #[error("text between stanzas (at byte {at})")]
    StrayText { at: usize },
    /// A frame of more bytes than [`Limits::frame_bytes`](super::Limits::frame_bytes).
    #[error("larger than {limit} bytes")]
    TooLarge { limit: usize },
    /// Another of the [`Limits`](super::Limits).
    #[error("over the limit: {what} (at byte {at})")]
    OverLimit { what: &'static str, at: usize },
}

impl XmlError {
    /// The stream error condition of RFC 6120 section 4.9.3 to close the stream with.
    pub fn condition(&self) -> &'static str {
        match self {
            XmlError::NotWellFormed { .. } => "not-well-formed",
            XmlError::Restricted { .. } => "restricted-xml",
            XmlError::UnboundPrefix { .. } => "bad-namespace-prefix",
            XmlError::Encoding { .. } => "unsupported-encoding",
            XmlError::StrayText { .. } => "bad-format",
            XmlError::TooLarge { .. } | XmlError::OverLimit { .. } => "policy-violation",
        }
    }

    pub(super) fn malformed(what: &'static str, at: usize) -> Self {
        XmlError::NotWellFormed { what, at }
    }

    pub(super) fn restricted(what: &'static str, at: usize) -> Self {
        XmlError::Restricted { what, at }
    }

    pub(super) fn over(what: &'static str, at: usize) -> Self {
        XmlError::OverLimit { what, at }
    }

    /// The same error with its offset moved: for a part that was checked on its own.
    pub(super) fn shifted(mut self, by: usize) -> Self {
        match &mut self {
            XmlError::NotWellFormed { at, .. }
            | XmlError::Restricted { at, .. }
            | XmlError::UnboundPrefix { at, .. }
            | XmlError::Encoding { at, .. }
            | XmlError::StrayText { at }
            | XmlError::OverLimit { at, .. } => *at += by,
            XmlError::TooLarge { .. } => {}
        }
        self
    }
}
