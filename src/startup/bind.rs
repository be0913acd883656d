//! Listening sockets, and a clear word when a port is taken.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
};

/// Why an address could not be listened on. Displayed as one line that says how to change it.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    section: String,
    error: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, section, error } = self;
        let (ip, port) = (address.ip(), address.port());
        match error.kind() {
            ErrorKind::AddrInUse => write!(f, "port {port} on {ip} is taken by another program; stop that one, or ")?,
            ErrorKind::AddrNotAvailable => write!(f, "{ip} is not an address of this machine; ")?,
            ErrorKind::PermissionDenied => write!(f, "port {port} on {ip} is not permitted to this user; ")?,
            _ => write!(f, "cannot listen on port {port} of {ip}: {error}; ")?,
        }
        write!(f, "set other {section}.addresses in the configuration")
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl BindError {
    /// Whether the machine has no such kind of address at all, as without IPv6.
    fn is_missing_family(&self) -> bool {
        const EAFNOSUPPORT: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
        self.error.raw_os_error() == Some(EAFNOSUPPORT)
            || (self.address.is_ipv6() && self.error.kind() == ErrorKind::AddrNotAvailable)
    }
}

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens on `address`; `section` is where the configuration names it, as `listen.c2s`.
///
/// The socket does not block, can be bound again at once after a restart, and an IPv6 one takes no IPv4 connections, so
/// that `0.0.0.0` and `[::]` can have the same port.
///
/// # Errors
/// The address is taken, not there, or not permitted.
pub fn bind_listener(section: &str, address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address).map_err(|error| BindError { address, section: section.to_owned(), error })
}

/// Listens on all of `addresses`. An IPv6 wildcard is passed over on machines without IPv6, provided that another
/// address remains: the defaults must work there too.
///
/// # Errors
/// As [`bind_listener`].
pub fn bind_all(section: &str, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::new();
    let mut passed_over = None;
    for address in addresses {
        match bind_listener(section, *address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.ip().is_unspecified() && error.is_missing_family() => passed_over = Some(error),
            Err(error) => return Err(error),
        }
    }
    match passed_over {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let first = bind_listener("listen.c2s", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind_listener("listen.c2s", address).unwrap_err().to_string();
        let expected = format!(
            "port {} on 127.0.0.1 is taken by another program; stop that one, or set other listen.c2s.addresses in the configuration",
            address.port()
        );
        assert_eq!(error, expected);
        drop(first);
        bind_listener("listen.c2s", address).unwrap();
    }

    #[test]
    fn an_address_of_another_machine_is_an_error() {
        let error = bind_all("listen.c2s", &["192.0.2.1:0".parse().unwrap()]).unwrap_err().to_string();
        assert!(error.starts_with("192.0.2.1 is not an address of this machine; set other listen.c2s"), "{error}");
    }

    #[test]
    fn all_addresses_are_bound() {
        let addresses = ["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()];
        let listeners = bind_all("listen.c2s", &addresses).unwrap();
        let ips: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().ip().to_string()).collect();
        assert_eq!(ips, ["127.0.0.1", "127.0.0.2"]);
    }
}
