//! Cutting a connection's bytes into the pieces of a stream (RFC 6120 section 4): its header, its top-level children and
//! its end. No I/O, and no state but the bytes themselves: a read may end anywhere, and may be abandoned anywhere.

mod grammar;
mod start_tag;

use std::fmt;

use compact_str::CompactString;
use smallvec::SmallVec;

use self::grammar::{Found, Place};
use super::chars::is_space;
use super::{Limits, XmlError};

/// Push framing of one direction of a stream.
///
/// Feed it with [`push`](Self::push) and take out all frames with [`next`](Self::next) before feeding it again; then it
/// holds at most [`Limits::frame_bytes`] and one read. Each byte is looked at once, however it arrives. When all that
/// arrived has been taken out it holds no memory.
///
/// It finds where frames end, refuses at their first bytes the things that streams must not contain (RFC 6120 section
/// 11.1) and whatever would keep a frame from ever ending, such as an end tag for another element, and checks UTF-8. Whether
/// a frame is well-formed is for [`Reader`](super::Reader) to say.
pub struct Framer {
    limits: Limits,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were handed out or skipped.
    taken: usize,
    /// Where in `buffer` the scan goes on; never before `taken`.
    scanned: usize,
    /// How many elements are open, the stream's root among them.
    depth: u32,
    /// Where in the frame the names of the open elements begin, the root left out: an end tag must repeat them. Empty, and on
    /// the heap never, between frames.
    open: SmallVec<[u32; 8]>,
    place: Place,
    /// The name of the root, for its end tag.
    root: CompactString,
    failed: Option<XmlError>,
}

/// A piece of a stream. The text is exactly what the peer sent, and UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The start tag of the root, without the XML declaration that may have preceded it.
    Open(&'a str),
    /// A whole child of the root.
    Child(&'a str),
    /// The root has ended; nothing but white space may follow.
    Close,
}

impl Framer {
    /// Expects the beginning of a stream.
    pub fn new(limits: Limits) -> Framer {
        Framer {
            limits,
            buffer: Vec::new(),
            taken: 0,
            scanned: 0,
            depth: 0,
            open: SmallVec::new(),
            place: Place::Beginning,
            root: CompactString::default(),
            failed: None,
        }
    }

    /// Takes in what was read. After an error it takes in nothing.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() || bytes.is_empty() {
            return;
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken.min(self.buffer.len()));
            self.scanned -= self.taken;
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, or `None` when more bytes are needed. An error is final, and is returned again by later calls.
    #[allow(clippy::should_implement_trait)] // it lends out its buffer, which an iterator cannot
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, XmlError> {
        if let Some(error) = self.failed.clone() {
            return Err(self.fail(error));
        }
        let found = match self.scan() {
            Ok(found) => found,
            Err(error) => return Err(self.fail(error)),
        };
        let (range, is_open) = match found {
            Found::Open(range) => (range, true),
            Found::Child(range) => (range, false),
            Found::Close => return Ok(Some(Frame::Close)),
            Found::More | Found::Starved => {
                self.release_if_empty();
                return Ok(None);
            }
        };
        let Framer { buffer, failed, .. } = self;
        match utf8(buffer.get(range)) {
            Ok(tag) if is_open => Ok(Some(Frame::Open(tag))),
            Ok(child) => Ok(Some(Frame::Child(child))),
            Err(error) => Err(failed.insert(error).clone()),
        }
    }

    /// For the frames that are not complete yet.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Expects the beginning of a stream anew, as after SASL (RFC 6120 section 4.3.3). Bytes that were pushed and not taken
    /// belong to the new stream, but for white space, which still belonged to the old.
    pub fn reset(&mut self) {
        let ahead = self.buffer.get(self.taken..).unwrap_or_default();
        self.taken += ahead.iter().take_while(|&&b| is_space(b)).count();
        self.scanned = self.taken;
        self.depth = 0;
        self.open = SmallVec::new();
        self.place = Place::Beginning;
        self.release_if_empty();
    }

    /// Drops what was pushed and not taken, and returns how many bytes other than white space that were. To be called when
    /// TLS begins, before [`reset`](Self::reset): what came in the clear must not count afterwards (RFC 6120 section
    /// 5.4.3.3).
    pub fn discard(&mut self) -> usize {
        let dropped = self.take_rest();
        dropped.iter().filter(|&&b| !is_space(b)).count()
    }

    /// Takes out what was pushed and has not been taken as a frame.
    pub fn take_rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.buffer);
        rest.drain(..self.taken.min(rest.len()));
        self.taken = 0;
        self.scanned = 0;
        rest
    }

    /// Bytes of memory held for frames.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Bytes that were pushed and not taken.
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Whether a frame has begun and not ended.
    pub fn is_mid_frame(&self) -> bool {
        self.buffered() > 0 && !matches!(self.place, Place::Beginning | Place::Between | Place::Ended)
    }

    fn fail(&mut self, error: XmlError) -> XmlError {
        self.buffer = Vec::new();
        self.open = SmallVec::new();
        self.taken = 0;
        self.scanned = 0;
        self.failed = Some(error.clone());
        error
    }

    fn release_if_empty(&mut self) {
        if self.taken == self.buffer.len() {
            self.buffer = Vec::new();
            self.taken = 0;
            self.scanned = 0;
        }
    }
}

/// Without the bytes, among which there may be passwords.
impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer")
            .field("buffered", &self.buffered())
            .field("depth", &self.depth)
            .field("place", &self.place)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

fn utf8(bytes: Option<&[u8]>) -> Result<&str, XmlError> {
    std::str::from_utf8(bytes.unwrap_or_default())
        .map_err(|e| XmlError::Encoding { what: "not UTF-8", at: e.valid_up_to() })
}
