//! How near the server comes to what the machine allows: `cargo bench --bench limits`. Each row runs
//! `hubbub load` against the two floors (`benches/floor.rs`) and against the server, one after the
//! other, with CPU and memory from the system's account of the process, and prints the ratios.
//!
//! `-- W1 idle` runs those rows alone, `-- --seconds 5` changes a row's length, `-- --engine
//! actix-web-actors` takes the other engine, `-- --dialect native` the other protocol. To add a row:
//! a line in [`rows::ROWS`].

#[path = "../floor.rs"]
mod floor;
mod rows;
mod subject;

use std::process::ExitCode;

use rows::{ROWS, Row};
use subject::{Driven, Options, Subject};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(mode) = words.first().and_then(|word| word.strip_prefix("--floor=")) {
        return subject::be_the_floor(mode);
    }
    let options = match Options::read(&words) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("limits: {why}");
            return ExitCode::from(2);
        }
    };
    println!(
        "hubbub ({}, {}), {} s a row; floors in the same run; a = plain floor, b = durable floor\n",
        options.engine, options.dialect, options.seconds
    );
    println!(
        "{:<16}{:>22}{:>14}{:>14}{:>14}{:>8}{:>8}  to reach",
        "work", "figure", "floor a", "floor b", "hubbub", "÷ a", "÷ b"
    );
    let mut all_well = true;
    for row in ROWS.iter().filter(|row| options.wants(row.name)) {
        all_well &= run(row, &options);
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures a row and prints its figures; false when something did not come that was due.
fn run(row: &Row, options: &Options) -> bool {
    let driven: Vec<Driven> =
        Subject::ALL.iter().map(|subject| subject::drive(*subject, row, options)).collect();
    for figure in row.figures {
        let of = |at: usize| (figure.of)(&driven[at].report);
        let (plain, durable, server) = (of(0), of(1), of(2));
        println!(
            "{:<16}{:>22}{plain:>14.2}{durable:>14.2}{server:>14.2}{:>8.2}{:>8.2}  {}",
            row.name,
            figure.name,
            server / plain,
            server / durable,
            figure.to_reach
        );
    }
    let mut well = true;
    for one in &driven {
        for why in one.doubts() {
            println!("{:<16}{}: {why}", "", one.subject.name());
            well = false;
        }
    }
    well
}
