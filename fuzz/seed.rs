//! Writes the recordings as what the targets start from:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seed`.

use std::{error::Error, fs, path::Path};

use function_infisical::contract::proto::v1::RunFunctionRequest;
use operations::{Operation, operations};
use prost::Message as _;
use serde_json::Value;

#[expect(dead_code, reason = "nothing is carried out here")]
#[path = "../tests/shared/operations.rs"]
mod operations;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (fixtures, corpus) = (here.join("../tests/fixtures"), here.join("corpus"));
    for target in ["request", "input", "answers"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    for entry in fs::read_dir(fixtures.join("requests"))? {
        let path = entry?.path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|it| it == "binpb")) else {
            continue;
        };
        let request = fs::read(&path)?;
        let input = RunFunctionRequest::decode(request.as_slice())?.input.unwrap_or_default();
        fs::write(corpus.join("request").join(name), &request)?;
        fs::write(corpus.join("input").join(name), &input)?;
    }
    for server in ["strict", "lenient"] {
        let exchanges = fs::read(fixtures.join("exchanges").join(server).with_extension("json"))?;
        for exchange in serde_json::from_slice::<Vec<Value>>(&exchanges)? {
            let Some(operation) = operations().iter().position(|it| is_of(*it, &exchange["request"])) else {
                continue;
            };
            let response = &exchange["response"];
            let status = u16::try_from(response["status"].as_u64().unwrap_or_default())?;
            let mut seed = vec![u8::try_from(operation)?];
            seed.extend(status.to_be_bytes());
            seed.push(0);
            seed.extend(serde_json::to_vec(&response["body"])?);
            let name = exchange["name"].as_str().unwrap_or_default();
            fs::write(corpus.join("answers").join(format!("{server}-{name}")), seed)?;
        }
    }
    Ok(())
}

/// Whether a recorded request is one of an operation.
fn is_of(operation: Operation, request: &Value) -> bool {
    let path = request["path"].as_str().unwrap_or_default().split('?').next().unwrap_or_default();
    let (before, after) = operation.path.split_once("{id}").unwrap_or((operation.path, ""));
    request["method"] == operation.method && path.starts_with(before) && path.ends_with(after)
}
