//! The threadbare binary: everything is in the library.

fn main() {
    std::process::exit(threadbare::cli::main());
}
