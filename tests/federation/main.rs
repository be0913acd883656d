//! Federation as others see it: several servers on loopback addresses of their own, and users who talk across.

mod attacks;
mod delivery;
mod interop;
mod oriole;
mod others;
mod stage;
#[path = "../support/mod.rs"]
mod support;
