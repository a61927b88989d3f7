//! References in values: `${NAME}`, `${environment.folder.NAME}`. One to nothing reads
//! as empty; a loop reads as it is (recorded).

use super::{Instance, folder::joined, secret::Where};

/// A value with its references followed.
pub(super) fn expanded(
    instance: &Instance,
    place: &Where,
    value: &str,
    followed: &mut Vec<String>,
) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, behind)) if is_reference(name) => {
                text.push_str(&value_of(instance, place, name, followed));
                rest = behind;
            }
            _ => {
                text.push_str("${");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// No default and no blanks.
fn is_reference(name: &str) -> bool {
    !name.is_empty() && !name.contains([' ', ':', '\n', '$', '{'])
}

fn value_of(instance: &Instance, place: &Where, name: &str, followed: &mut Vec<String>) -> String {
    let of = target(place, name);
    let key = format!("{} {} {}", of.0.environment, of.0.path, of.1);
    if followed.contains(&key) {
        return format!("${{{name}}}");
    }
    let folder = instance.folder_of(&of.0);
    let secret = folder.and_then(|folder| folder.secrets.iter().find(|secret| secret.name == of.1));
    let Some(secret) = secret else { return String::new() };
    followed.push(key);
    let value = expanded(instance, &of.0, &secret.value, followed);
    followed.pop();
    value
}

/// Where a reference points at, and the name there.
fn target(place: &Where, name: &str) -> (Where, String) {
    let parts: Vec<&str> = name.split('.').collect();
    let (Some((last, before)), true) = (parts.split_last(), parts.len() > 1) else {
        return (place.clone(), name.to_owned());
    };
    let (environment, folders) = before.split_first().unwrap_or((&"", &[]));
    let path = folders.iter().fold("/".to_owned(), |path, folder| joined(&path, folder));
    let of = Where { project_id: place.project_id.clone(), environment: (*environment).to_owned(), path };
    (of, (*last).to_owned())
}
