//! Other servers, as plain child processes.

/// A process that ends with this value.
pub struct Process;
