//! What the server says about itself: log lines, metrics, health.

mod http;
mod logs;
mod recorder;

pub use http::{Health, serve_http};
pub use logs::{LogHandle, filter_of, init_logs};
pub use recorder::{MetricsHandle, init_metrics};
