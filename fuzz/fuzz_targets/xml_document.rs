//! Any bytes as a document that stands alone, as over WebSocket.

#![no_main]

#[allow(dead_code)] // the other targets use the rest
#[path = "../../wire/tests/xml_support/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| properties::check_document(bytes));
