//! A black-box conformance suite for XMPP servers: plays in, results per requirement out.

pub mod expect;
pub mod musts;
pub mod net;
pub mod play;
pub mod report;
pub mod run;
pub mod xml;
