//! Measures the targets of the design, each beside its baseline in the same run.
//!
//! Rows live in `rows`, one file each; what they share is here. Every load is bounded and every server
//! is a child that ends with its row. `scripts/bench` runs this.

mod bare;
mod bench;
mod bulk;
mod client;
mod events;
mod jobs;
mod machine;
mod nats;
mod nats_cluster;
mod older;
mod process;
mod rounds;
mod rows;
mod stand_in;
mod table;
mod weir_dev;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use bench::Bench;
use rows::Row;
use table::Report;

/// As the product has it, since rows run parts of it in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the targets of the design, each beside its baseline in the same run.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
struct Arguments {
    /// The rows to measure [default: all]
    rows: Vec<Row>,
    /// One short round of each: to see that it runs, not to read figures from
    #[arg(long)]
    quick: bool,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
    /// Measure the memory of a graph in a process of its own, and print it
    #[arg(long, hide = true, value_name = "EDGES")]
    memory_of: Option<usize>,
    /// With --memory-of: event ids as they are given out, not the largest kind
    #[arg(long, hide = true)]
    uuids: bool,
    /// Be a stand-in for ArangoDB with its password in a file there, for a parent that asks
    #[arg(long, hide = true, value_name = "DIR")]
    arango_stand_in: Option<PathBuf>,
    /// The same for a person, until it or its parent is told to end
    #[arg(long, hide = true)]
    arango_by_hand: bool,
    /// Given by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        eprintln!("nothing is measured: run scripts/bench");
        return ExitCode::SUCCESS;
    }
    if let Some(edges) = arguments.memory_of {
        println!("{}", rows::memory::probe(edges, arguments.uuids));
        return ExitCode::SUCCESS;
    }
    if let Some(dir) = arguments.arango_stand_in {
        return served(stand_in::serve_asked(&dir));
    }
    let bench = Bench::new(arguments.quick);
    if arguments.arango_by_hand {
        return served(stand_in::serve_by_hand(&bench));
    }
    let rows =
        if arguments.rows.is_empty() { Row::value_variants().to_vec() } else { arguments.rows };
    let machine = machine::describe(&bench.dir);
    eprintln!("{machine}");
    let mut reports = Vec::new();
    for row in rows {
        eprintln!("\n{}: {}", row.name(), row.question());
        reports.push(match row.measure(&bench) {
            Ok(report) => report,
            Err(error) => Report::failed(row.name(), format!("{error:#}")),
        });
    }
    if arguments.json {
        println!("{:#}", table::json(&machine, bench.quick, &reports));
    } else {
        println!("\n{}", table::text(&machine, bench.quick, &reports));
    }
    let failed = reports.iter().any(|report| report.failure.is_some());
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn served(how: anyhow::Result<()>) -> ExitCode {
    match how {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the stand-in for ArangoDB: {error:#}");
            ExitCode::FAILURE
        }
    }
}
