//! Any bytes from a client or a component, to a stream machine whose driver answers at whim.

#![no_main]

#[path = "../../wire/tests/stream_support/driver.rs"]
mod driver;

use libfuzzer_sys::fuzz_target;
use wire::stream::Role;

fuzz_target!(|bytes: &[u8]| {
    // The first octet says what kind of stream it is, the next sixteen are the whims.
    let [kind, rest @ ..] = bytes else { return };
    let Some((whims, dialogue)) = rest.split_at_checked(16) else { return };
    let role = if kind & 1 == 0 { Role::Client } else { Role::Component };
    // The bytes themselves decide how they are cut.
    let sizes: Vec<usize> = dialogue.iter().rev().map(|b| usize::from(b % 64) + 1).collect();
    driver::perform(role, kind & 2 != 0, dialogue, &sizes, whims);
});
