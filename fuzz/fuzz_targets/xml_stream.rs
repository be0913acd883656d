//! Any bytes as a stream: framing, however they arrive, and reading of every frame.

#![no_main]

#[allow(dead_code)] // the other targets use the rest
#[path = "../../wire/tests/xml_support/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The bytes themselves decide how they are cut.
    let sizes: Vec<usize> = bytes.iter().rev().map(|b| usize::from(b % 32) + 1).collect();
    properties::check_stream(bytes, &sizes);
});
