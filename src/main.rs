//! The program `tidings`: all of it is in the library.

use std::process::ExitCode;

/// The system's allocator keeps what a burst has taken; this one gives it back and is quicker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidings::cli::run()
}
