//! The `linefinder` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    linefinder::cli::main()
}
