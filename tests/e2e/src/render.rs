//! `crossplane render` over the examples, compared with snapshots.
//!
//! An example is a folder in examples/ with xr.yaml, composition.yaml and
//! functions.yaml; observed.yaml and what is required is given where it is there.
//! Its functions, and ours of examples/render/, are run by the harness, and found by
//! the annotation of the runtime Development. A fake is behind the URL of an example
//! that has one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use fake_infisical::Variant;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    control_plane::Folders,
    functions::{Templates, serve_insecure},
    process::{Process, free_port},
    tools::Tools,
    world::infisical,
};

/// Renders every example; whether all came out as expected.
pub(crate) async fn examples(
    tools: &Tools,
    folders: &Folders,
    root: &Path,
    binary: &Path,
) -> Result<bool, String> {
    let port = free_port();
    let mut function = Command::new(binary);
    function.arg("--insecure").arg(format!("--address=127.0.0.1:{port}")).arg("--metrics-address=");
    let _function = Process::start("render-function-infisical", &mut function, &folders.logs);
    let auto_ready_port = free_port();
    let mut auto_ready = Command::new(tools.path("function-auto-ready"));
    auto_ready.arg("--insecure").arg(format!("--address=127.0.0.1:{auto_ready_port}"));
    let _auto_ready = Process::start("render-function-auto-ready", &mut auto_ready, &folders.logs);
    let templates = serve_insecure(Arc::new(Templates)).await;
    let ports = [
        ("function-infisical", port),
        ("function-auto-ready", auto_ready_port),
        ("function-go-templating", templates.port),
    ];
    for (_, port) in ports {
        until_listening(port).await;
    }
    let mut all_passed = true;
    for example in folders_of(&root.join("examples")) {
        let passed = one(tools, folders, &example, &ports).await;
        let name = example.file_name().unwrap_or_default().to_string_lossy();
        match passed {
            Ok(()) => println!("          passed  render {name}"),
            Err(why) => {
                println!("          FAILED  render {name}: {why}");
                all_passed = false;
            }
        }
    }
    Ok(all_passed)
}

fn folders_of(examples: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(examples).into_iter().flatten().flatten().map(|entry| entry.path());
    let needed = ["xr.yaml", "composition.yaml", "functions.yaml"];
    let mut folders: Vec<_> =
        entries.filter(|path| needed.iter().all(|name| path.join(name).is_file())).collect();
    folders.sort();
    folders
}

/// The URL in an example whose instance is elsewhere.
pub(crate) const URL: &str = "https://infisical.example.org";

async fn one(tools: &Tools, folders: &Folders, example: &Path, ports: &[(&str, u16)]) -> Result<(), String> {
    let functions = folders.run.join("functions.yaml");
    let mut documents = Vec::new();
    for file in ["functions.yaml", "../render/function-infisical.yaml"] {
        let original = fs::read_to_string(example.join(file)).map_err(|error| format!("{file}: {error}"))?;
        documents.extend(in_development(&original, ports).map_err(|error| format!("{file}: {error}"))?);
    }
    fs::write(&functions, documents.join("\n---\n")).map_err(|error| error.to_string())?;
    let composition = folders.run.join("composition.yaml");
    let original = fs::read_to_string(example.join("composition.yaml")).map_err(|error| error.to_string())?;
    let fake = infisical(Variant::Strict).await;
    fs::write(&composition, original.replace(URL, &fake.url())).map_err(|error| error.to_string())?;
    let mut render = Command::new(tools.path("crank"));
    render.current_dir(example).args(["render", "xr.yaml"]).args([&composition, &functions]);
    render.args(["--include-full-xr", "--include-function-results"]);
    for (file, flag) in [
        ("observed.yaml", "--observed-resources"),
        ("required.yaml", "--required-resources"),
        ("credentials.yaml", "--function-credentials"),
    ] {
        if example.join(file).is_file() {
            render.arg(format!("{flag}={file}"));
        }
    }
    let output = render.output().await.map_err(|error| format!("crossplane render: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let rendered = stable(&String::from_utf8_lossy(&output.stdout), &fake.url());
    compare(&example.join("expected.yaml"), &rendered)
}

/// The functions, each with the address at which the harness runs it.
fn in_development(functions: &str, ports: &[(&str, u16)]) -> Result<Vec<String>, String> {
    let mut documents = Vec::new();
    // There may be a Provider beside them.
    for document in functions.split("\n---").filter(|document| document.contains("kind: Function")) {
        let mut function: Value = serde_saphyr::from_str(document).map_err(|error| error.to_string())?;
        let name = function["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let (_, port) = ports
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| format!("nobody runs {name} here"))?;
        function["metadata"]["annotations"] = serde_json::json!({
            "render.crossplane.io/runtime": "Development",
            "render.crossplane.io/runtime-development-target": format!("127.0.0.1:{port}"),
        });
        documents.push(function.to_string());
    }
    Ok(documents)
}

/// What differs from run to run.
const VARIES: [&str; 4] = ["lastTransitionTime", "tokenExpiresAt", "organizationId", "identityId"];

/// Without what differs from run to run: times, ids, the port of the fake, and
/// the values in a Secret, which are nobody's to read either.
fn stable(rendered: &str, url: &str) -> String {
    let rendered = rendered.replace(url, URL);
    let mut is_data = false;
    let lines = rendered.lines().map(|line| {
        is_data = line == "data:" || (is_data && line.starts_with(' '));
        match line.split_once(": ") {
            Some((name, _)) if is_data || VARIES.iter().any(|varies| name.ends_with(varies)) => {
                format!("{name}: …")
            }
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn compare(file: &Path, rendered: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(file, rendered).map_err(|error| format!("{}: {error}", file.display()));
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == rendered {
        return Ok(());
    }
    let line = expected.lines().zip(rendered.lines()).position(|(expected, rendered)| expected != rendered);
    let line = line.unwrap_or_else(|| expected.lines().count().min(rendered.lines().count()));
    let of = |text: &str| text.lines().nth(line).unwrap_or("the end").to_owned();
    Err(format!(
        "line {} is {:?}, not {:?}; UPDATE=1 cargo xtask render writes {}",
        line + 1,
        of(rendered),
        of(&expected),
        file.display()
    ))
}

async fn until_listening(port: u16) {
    crate::cluster::until("a function listens", std::time::Duration::from_secs(20), async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
}
