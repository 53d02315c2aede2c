//! The one binary; every role is a command of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir::cli::run()
}
