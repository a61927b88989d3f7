//! What the documents say, held against the code and the files that they show.

use std::{collections::BTreeSet, path::PathBuf};

use clap::CommandFactory as _;
use function_infisical::{
    Inference,
    args::Args,
    condition::ConditionType,
    inferences,
    input::crd::custom_resource_definition,
    reason::{Event, Reason},
};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document of the repository, with its path.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root(), root().join("docs")];
    let examples = std::fs::read_dir(root().join("examples")).unwrap();
    paths.extend(examples.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    let mut documents = Vec::new();
    for folder in paths {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                let text = read(&name);
                documents.push((name, text));
            }
        }
    }
    documents.sort();
    documents
}

/// The fenced blocks of a language, each with the line before it.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<(&'a str, &'a str)> {
    let fence = format!("\n```{language}\n");
    let parts: Vec<&str> = text.split(&fence).collect();
    let before = parts.iter().map(|part| part.lines().next_back().unwrap_or_default());
    let blocks = parts.iter().skip(1).map(|part| part.split("\n```").next().unwrap());
    before.zip(blocks).collect()
}

/// The first column of the table below a heading, without its backquotes.
fn first_column(text: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

fn reasons() -> BTreeSet<String> {
    Reason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect()
}

/// Holds what stands between two comments in a page to what the code says, or writes it there
/// when it is asked to.
fn assert_generated(page: &str, name: &str, expected: &[String]) {
    let expected = expected.join("\n") + "\n";
    let (begin, end) = (format!("<!-- {name}: made of the code -->\n"), format!("<!-- end of {name} -->"));
    let text = read(page);
    let (before, rest) = text.split_once(&begin).unwrap();
    let (there, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let file = root().join(page);
        std::fs::write(file, format!("{before}{begin}{expected}{end}{after}")).unwrap();
    } else {
        assert_eq!(there, expected, "{page} is stale: run the test with UPDATE_DOCS=1");
    }
}

#[test]
fn the_table_of_reasons_is_that_of_the_code() {
    let mut lines = vec![
        "| reason | condition | event | what it means |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    for reason in Reason::ALL {
        let said = reason.said().iter().map(|(condition, status)| {
            format!("`{}` {}", condition.as_str().trim_start_matches("Infisical"), status.as_str())
        });
        let said = said.collect::<Vec<_>>().join(", ");
        let event = match reason.event() {
            Event::None => "",
            Event::Normal => "Normal",
            Event::Warning => "Warning",
        };
        let (text, meaning) = (reason.as_str(), reason.meaning());
        lines.push(format!("| [`{text}`](#{}) | {said} | {event} | {meaning} |", text.to_lowercase()));
    }
    assert_generated("docs/conditions.md", "reasons", &lines);
}

#[test]
fn the_table_of_what_replicas_infer_is_that_of_the_code() {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for condition in ConditionType::ALL {
        for reason in Reason::ALL {
            for (of, status) in reason.said().iter().filter(|(of, _)| *of == condition) {
                let inferred = inferences(*of, *status, *reason);
                let inferred: Vec<_> = inferred.iter().map(|it| format!("{it:?}")).collect();
                if inferred.is_empty() {
                    continue;
                }
                let key = format!("| `{}` | {} | {} |", of.as_str(), status.as_str(), inferred.join(", "));
                match rows.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, reasons)) => reasons.push(format!("`{}`", reason.as_str())),
                    None => rows.push((key, vec![format!("`{}`", reason.as_str())])),
                }
            }
        }
    }
    let mut lines = ["| condition | status | what a replica infers | reasons |", "| --- | --- | --- | --- |"]
        .map(str::to_owned)
        .to_vec();
    for (key, reasons) in rows {
        lines.push(format!("{key} {} |", reasons.join(", ")));
    }
    lines.extend(["", "| what is inferred | if the condition |", "| --- | --- |"].map(str::to_owned));
    for inference in Inference::ALL {
        let needs = inference.needs();
        let words = [
            (needs.server, "names the server"),
            (needs.email, "names no other email"),
            (needs.owner, "names another XR"),
            (needs.newer, "is newer than what the process was told"),
        ];
        let words: Vec<_> = words.into_iter().filter(|(needed, _)| *needed).map(|(_, words)| words).collect();
        let words = if words.is_empty() { "is about no other server".to_owned() } else { words.join(", ") };
        lines.push(format!("| {inference:?} | {words} |"));
    }
    assert_generated("ARCHITECTURE.md", "inferences", &lines);
}

#[test]
fn every_reason_has_an_entry_and_every_entry_is_a_reason() {
    let text = read("docs/conditions.md");
    let entries = text.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let entries: Vec<String> = entries.map(str::to_owned).collect();
    let unique: BTreeSet<String> = entries.iter().cloned().collect();
    assert_eq!(entries.len(), unique.len(), "{entries:?}");
    assert_eq!(unique, reasons());
}

#[test]
fn the_table_of_what_goes_wrong_has_every_reason() {
    let text = read("README.md");
    let (_, section) = text.split_once("\n## When something goes wrong\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    for reason in reasons() {
        assert!(section.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn the_table_of_the_input_has_every_field() {
    let crd = custom_resource_definition();
    let mut fields = BTreeSet::new();
    leaves("", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut fields);
    for field in ["apiVersion", "kind", "metadata"] {
        fields.remove(field);
    }
    assert_eq!(first_column(&read("README.md"), "The input"), fields);
}

/// The fields of a schema that have none of their own.
fn leaves(path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    let (schema, list) = if schema["type"] == "array" { (&schema["items"], "[]") } else { (schema, "") };
    let path = format!("{path}{list}");
    match schema["properties"].as_object() {
        Some(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&path, field, found);
            }
        }
        None => {
            found.insert(path);
        }
    }
}

#[test]
fn the_table_of_flags_has_every_flag() {
    let command = Args::command();
    let flags = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let flags: BTreeSet<String> = flags.filter_map(|flag| Some(format!("--{}", flag.get_long()?))).collect();
    assert_eq!(first_column(&read("README.md"), "Flags"), flags);
}

#[test]
fn a_file_that_a_document_shows_is_the_file() {
    let mut shown = 0;
    for (name, text) in documents() {
        for (before, block) in blocks(&text, "yaml") {
            let Some(path) = before.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) else {
                continue;
            };
            assert_eq!(block.trim_end(), read(path).trim_end(), "{name} shows another {path}");
            shown += 1;
        }
    }
    assert!(shown >= 3, "the README shows an XRD, a Composition and an XR");
}

#[test]
fn the_yaml_in_the_documents_is_yaml() {
    for (name, text) in documents() {
        for (_, block) in blocks(&text, "yaml") {
            let parsed: Result<Vec<Value>, _> = serde_saphyr::from_multiple(block);
            assert!(parsed.is_ok(), "{name}: {:?}\n{block}", parsed.err());
        }
    }
}

#[test]
fn the_files_that_the_documents_link_to_are_there() {
    for (name, text) in documents() {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let path = link.split('#').next().unwrap();
            if !path.is_empty() && !path.contains("://") {
                assert!(folder.join(path).exists(), "{name} links to {link}");
            }
        }
    }
}

#[path = "../../examples/timeline/draw.rs"]
mod draw;

#[test]
fn the_picture_is_drawn_from_the_recorded_run() {
    let run: Value = serde_json::from_str(&read("docs/quickstart.json")).unwrap();
    assert_eq!(run["tokenAccepted"], true);
    let drawn = draw::draw(&run).unwrap();
    assert!(drawn == read("docs/quickstart.svg"), "run: cargo run --example timeline -- --write");
    for line in run["timeline"].as_array().unwrap() {
        let event = line["event"].as_str().unwrap();
        let is_drawn = drawn.contains(&format!(">{event}</text>"));
        assert_eq!(is_drawn, !event.starts_with("function at ") && !event.starts_with("event "), "{event}");
    }
}

#[test]
fn a_run_without_a_ready_xr_is_no_picture() {
    for run in [
        "{}",
        r#"{"timeline": []}"#,
        r#"{"timeline": [{"atMilliseconds": 0, "event": "XR \"vault\" is created"}]}"#,
    ] {
        assert!(draw::draw(&serde_json::from_str(run).unwrap()).is_none(), "{run}");
    }
}

#[test]
fn every_rule_is_cited_where_it_is_kept_and_has_a_test() {
    let text = read("ARCHITECTURE.md");
    let (_, table) = text.split_once("| rule | kept in | breaks without it |").unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let (tests, mut numbers) = (tests(), BTreeSet::new());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let (number, _) = cells[0].trim().split_once(". ").unwrap();
        numbers.insert(number.parse::<usize>().unwrap());
        for file in quoted(cells[1]) {
            let cited = format!("Rule {number}");
            let is_cited = read(&format!("src/function/{file}"))
                .split(&cited)
                .skip(1)
                .any(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()));
            assert!(is_cited, "{file} does not cite {cited}");
        }
        assert!(!quoted(cells[2]).is_empty(), "{row}");
        for test in quoted(cells[2]) {
            assert!(tests.contains(&format!("fn {test}(")), "there is no test {test}");
        }
    }
    assert_eq!(numbers, (1..=17).collect());
    let sources = files("src/function");
    assert!(sources.len() > 50);
    for (path, text) in sources {
        for rest in text.split("Rule ").skip(1) {
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let row = table.lines().find(|line| line.starts_with(&format!("| {number}. ")));
            let file = path.rsplit_once("src/function/").unwrap().1;
            assert!(row.is_some_and(|row| row.contains(&format!("`{file}`"))), "{file} cites Rule {number}");
        }
    }
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The text of all tests.
fn tests() -> String {
    let folders = ["tests/it", "tests/simulation", "tests/e2e/src/cases", "src/function"];
    folders.into_iter().flat_map(files).map(|(_, text)| text).collect()
}

/// The sources below a folder, each with its path.
fn files(folder: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push((path.display().to_string(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let text = read("docs/security.md");
    let mut named = Vec::new();
    for head in ["| procedure | the test that does it |", "| what limits it | the test that shows it |"] {
        let (_, table) = text.split_once(head).unwrap();
        let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        assert!(rows.len() >= 8, "{rows:?}");
        for row in rows {
            let tests = row.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap();
            let before = named.len();
            named.extend(quoted(tests));
            assert!(named.len() > before, "no test is named in {row}");
        }
    }
    let tests = tests();
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

#[test]
fn every_kind_of_another_project_says_where_it_was_read() {
    let consumers = read("docs/consumers.md");
    for entry in std::fs::read_dir(root().join("tests/fixtures/crds")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.starts_with("# What examples/"));
        for kind in text.lines().filter_map(|line| line.strip_prefix("    kind: ")) {
            assert!(consumers.contains(kind), "{kind}");
        }
    }
}
