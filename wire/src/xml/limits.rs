//! How much XML one peer may make us hold or walk (RFC 6120 section 13.12; XEP-0205).

/// Bytes of one namespace name. What is written anew repeats it with every element that had only a prefix, so it says how much
/// larger a frame may become.
pub const NAMESPACE_BYTES: usize = 256;

/// Bounds on one frame: the stream header or one top-level child of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame. RFC 6120 section 13.12 requires at least 10 000 for stanzas.
    pub frame_bytes: usize,
    /// Elements inside each other; a top-level child counts as 1. Trees are walked by recursion: a few hundred at most.
    pub depth: u16,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes: u16,
    /// Namespace declarations of one element; four times as many may be in force at once.
    pub declarations: u16,
    /// Bytes of one element or attribute name, prefix included.
    pub name_bytes: u16,
}

impl Limits {
    /// For a peer that has not authenticated: the least that RFC 6120 section 13.12 permits.
    pub const BEFORE_AUTH: Limits =
        Limits { frame_bytes: 10_000, depth: 16, attributes: 32, declarations: 16, name_bytes: 256 };

    /// For a peer that has authenticated: 256 KiB a stanza, room for avatars and deep payloads.
    pub const AFTER_AUTH: Limits =
        Limits { frame_bytes: 262_144, depth: 128, attributes: 64, declarations: 32, name_bytes: 256 };

    /// The same limits with another size of frame.
    pub const fn with_frame_bytes(self, frame_bytes: usize) -> Limits {
        Limits { frame_bytes, ..self }
    }
}

impl Default for Limits {
    /// [`Limits::AFTER_AUTH`].
    fn default() -> Self {
        Limits::AFTER_AUTH
    }
}
