//! Whatever the input is: it is read, or refused in a line that names a field.

#![no_main]

use function_infisical::input::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = parse(Some(bytes)) {
        let error = error.to_string();
        assert!(error.starts_with("input") && error.len() <= 1024, "{error}");
        assert!(!error.contains(char::is_control), "{error:?}");
    }
});
