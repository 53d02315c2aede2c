//! What the fuzzers have found and gathered, replayed: each input is one call of the very function that they call.

use std::fs;
use std::path::{Path, PathBuf};

use weir::fuzzing::TARGETS;

/// Inputs of one target, and bytes of all of them, that the repository keeps at most.
const MOST_INPUTS: usize = 100;
const MOST_BYTES: u64 = 200 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(fuzz().join(kind).join(target)) else { return Vec::new() };
    let mut inputs: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it is there").path()).collect();
    inputs.sort();
    inputs
}

#[test]
fn every_input_that_fuzzers_found_keeps_the_laws() {
    for (name, call) in TARGETS {
        for kind in ["findings", "corpus"] {
            for input in inputs(kind, name) {
                // Shown only with a failure, whose message does not tell the input.
                println!("{}", input.display());
                call(&fs::read(input).expect("it can be read"));
            }
        }
    }
}

#[test]
fn every_target_has_a_fuzzer_and_a_small_corpus() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("the fuzzers' manifest");
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "no fuzzer is called {name}");
        let main = fuzz().join("fuzz_targets").join(format!("{name}.rs"));
        let main = fs::read_to_string(main).expect("the fuzzer's main");
        assert!(main.contains(&format!("weir::fuzzing::{name}(data)")), "{name} calls another");
        let corpus = inputs("corpus", name);
        let bytes: u64 =
            corpus.iter().map(|input| fs::metadata(input).expect("it is there").len()).sum();
        assert!((1..=MOST_INPUTS).contains(&corpus.len()), "{name} has {} inputs", corpus.len());
        assert!(bytes <= MOST_BYTES, "the corpus of {name} has {bytes} bytes");
    }
    let bins = manifest.matches("[[bin]]").count();
    assert_eq!(bins, TARGETS.len(), "every fuzzer is replayed");
}
