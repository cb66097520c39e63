#![no_main]

libfuzzer_sys::fuzz_target!(init: paddock_fuzz::let_decoders_panic(), |bytes: &[u8]| {
    paddock_fuzz::header(bytes);
});
