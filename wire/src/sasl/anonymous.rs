//! ANONYMOUS (RFC 4505), the server's side.

use super::error::Refusal;
use super::exchange::{Identity, Machine, Principal, Step};

/// RFC 4505 section 2: the trace token or e-mail address has at most 255 characters.
const MAX_TRACE: usize = 255;

pub(super) struct Anonymous;

impl Machine for Anonymous {
    /// The one message may be empty, and widespread clients leave it out and cannot answer a challenge.
    fn begin(&mut self) -> Result<Step, Refusal> {
        self.respond(b"")
    }

    /// What the peer says about itself is checked and forgotten: nothing proves it.
    fn respond(&mut self, message: &[u8]) -> Result<Step, Refusal> {
        let trace = str::from_utf8(message).map_err(|_| Refusal::malformed("ANONYMOUS trace is not UTF-8"))?;
        if trace.chars().count() > MAX_TRACE || trace.contains(|c: char| c.is_control()) {
            return Err(Refusal::malformed("ANONYMOUS trace is too long or holds control characters"));
        }
        let identity = Identity { principal: Principal::Anonymous, authzid: None, additional_data: None, token: None };
        Ok(Step::Success(identity))
    }
}
