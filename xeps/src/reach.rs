//! Whether what is handed to a session reaches its user now.

/// Kept in [`Session::states`](crate::account::Session) by whoever drives the session's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// There is a connection, as far as anybody knows.
    #[default]
    Connected,
    /// The connection is gone and the session waits to be resumed (XEP-0198 section 5): its client must be woken in another way.
    Asleep,
}
