//! XML as XMPP uses it: framing, strict reading, trees and writing.
//!
//! - [`Framer`] cuts the bytes of a connection into the stream header, whole top-level children and the end of the stream.
//! - [`Reader`] reads one such frame and refuses whatever XML 1.0, Namespaces in XML 1.0 or RFC 6120 section 11 refuse.
//! - [`Element`] is an owned tree, for what is looked at from several sides or built here.
//! - [`mod@write`] escapes and serialises.
//!
//! The tokeniser underneath is quick-xml. It finds where tags begin and end and pairs them, and checks little more, so
//! everything that it lets through is checked here: names, characters, references, attributes, namespaces, the XML
//! declaration, and the limits. A frame that was read to its end can be copied to another entity byte for byte.

mod chars;
mod decl;
mod decode;
mod element;
mod error;
mod event;
mod framer;
mod limits;
mod names;
mod namespace;
mod parse;
mod reader;
mod scope;
mod tag;
pub mod write;

pub use element::{Attribute, Element, Node};
pub use error::XmlError;
pub use event::{Attr, Event, QName, Start, Text};
pub use framer::{Frame, Framer};
pub use limits::Limits;
pub use namespace::Ns;
pub use reader::Reader;
pub use scope::Scope;
