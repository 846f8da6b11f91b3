//! The threadbare binary: parse, call, exit code.

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, hidden, part] = arguments.as_slice()
        && hidden == "__part"
        && let Err(error) = threadbare::target::serve_part(part)
    {
        eprintln!("{error}");
        std::process::exit(error.exit_code());
    }
}
