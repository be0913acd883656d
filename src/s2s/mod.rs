//! Federation.
mod backoff;
mod certificate;
mod dial;
mod dns;
mod policy;
mod queue;
mod remotes;
mod srv;

/// An unpredictable number.
fn chance() -> u32 {
    let mut octets = [0; 4];
    crate::net::random(&mut octets);
    u32::from_ne_bytes(octets)
}
