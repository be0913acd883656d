//! The server as a library: the adapters around `wire` and `xeps`.

pub mod store;
