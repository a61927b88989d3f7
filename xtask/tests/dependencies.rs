//! What each crate may not depend on, so that building one program builds nothing of another.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{path::Path, process::Command};

/// A crate, and what is nowhere below it.
const NEVER: [(&str, &[&str]); 4] = [
    (
        "function-infisical",
        &["kube", "kube-client", "k8s-openapi", "openssl", "openssl-sys", "aws-lc-rs", "aws-lc-sys"],
    ),
    (
        "provider-infisical",
        &["tonic", "prost", "function-infisical", "openssl", "openssl-sys", "aws-lc-rs", "aws-lc-sys"],
    ),
    ("infisical", &["kube", "k8s-openapi", "tonic", "prost", "function-infisical", "daemon"]),
    ("daemon", &["kube", "k8s-openapi", "tonic", "prost", "function-infisical", "infisical", "reqwest"]),
];

/// The names of all that is built for a crate.
fn below(package: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(["--package", package])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    text.lines().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn no_crate_depends_on_what_another_program_is_made_of() {
    for (package, never) in NEVER {
        let below = below(package);
        assert!(below.len() > 20, "{package}: {below:?}");
        for never in never {
            assert!(!below.iter().any(|it| it == never), "{package} depends on {never}");
        }
    }
}
