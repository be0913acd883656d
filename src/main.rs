//! The program. Everything is in the library.

fn main() -> std::process::ExitCode {
    oriole::cli::run()
}
