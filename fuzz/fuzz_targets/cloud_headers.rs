#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir::fuzzing::cloud_headers(data));
