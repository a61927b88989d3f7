//! Draws a run of the quickstart: `cargo run --example timeline`.
//!
//! It reads what `cargo run --example quickstart -- --json` printed, by default
//! the run that is kept in docs/quickstart.json, and prints an SVG. With `--write`
//! that goes to docs/quickstart.svg, which the README shows.

use std::{error::Error, fs, io::Write as _, path::PathBuf};

use clap::Parser;

mod draw;

/// Draws a run of the quickstart as an SVG.
#[derive(Parser)]
struct Args {
    /// What the quickstart printed with --json.
    #[arg(default_value = "docs/quickstart.json")]
    run: PathBuf,

    /// Writes docs/quickstart.svg in place of printing it.
    #[arg(long)]
    write: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let run = serde_json::from_str(&fs::read_to_string(&args.run)?)?;
    let picture = draw::draw(&run).ok_or("this is no run of the quickstart that ended well")?;
    if args.write {
        fs::write("docs/quickstart.svg", picture)?;
    } else {
        std::io::stdout().write_all(picture.as_bytes())?;
    }
    Ok(())
}
