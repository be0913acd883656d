//! Files by HTTP (XEP-0363): put into the place that a slot names, and fetched from there.
//!
//! A file is received, made durable, entered in the ledger, and moved to its place; only then is the client told. Where the files
//! lie is the business of [`files`](super::files).
//!
//! ```text
//! take        PUT: a file comes
//!   underway  room that is promised to files on their way
//!   pace      how slow one may be
//! give        GET and HEAD: a file goes out, or a part of it
//! sweep       what is too old goes
//! ```

mod give;
mod pace;
mod sweep;
mod take;
mod underway;

pub use give::give;
pub use sweep::sweep_forever;
pub use take::take;
pub use underway::Underway;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

fn refuse(status: StatusCode, text: &'static str) -> Response {
    (status, format!("{text}\n")).into_response()
}
