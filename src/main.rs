//! The program. Everything is in the library.

/// Stanzas are many small things that one thread makes and another throws away, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    oriole::cli::run()
}
