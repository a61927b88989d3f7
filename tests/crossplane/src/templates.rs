//! What function-go-templating makes of the actions that the examples use.
//!
//! That function cannot be had as a module, so that its place is taken by this.
//! It knows comments, variables, fields, text in quotes, `dig`, `with` and
//! `setResourceNameAnnotation`, as Go's templates and Sprig have them, and refuses
//! every other action by name: what it renders, the real one renders too.

use serde_json::Value;

/// The annotation by which a template names a composed resource.
pub const NAME: &str = "gotemplating.fn.crossplane.io/composition-resource-name";
/// The one by which it says that a composed resource is ready.
pub const READY: &str = "gotemplating.fn.crossplane.io/ready";

/// Renders a template over what the function is called with.
///
/// # Errors
///
/// Says which action is not understood or has no value.
pub fn render(template: &str, request: &Value) -> Result<String, String> {
    let parts = parse(template)?;
    let mut template = Template { parts: &parts, variables: Vec::new() };
    let mut rendered = String::new();
    template.run(request, &mut rendered, true)?;
    if template.parts.is_empty() { Ok(rendered) } else { Err("an end without a with".to_owned()) }
}

enum Part {
    Text(String),
    Action(String),
}

/// Splits at the actions, and takes away the white space that `{{-` and `-}}` do.
fn parse(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let (mut rest, mut trims) = (template, false);
    while let Some((text, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").ok_or("an action that does not end")?;
        let text = if trims { text.trim_start() } else { text };
        let before = action.strip_prefix("- ");
        parts.push(Part::Text(if before.is_some() { text.trim_end() } else { text }.to_owned()));
        let action = before.unwrap_or(action);
        let trimmed = action.strip_suffix(" -");
        trims = trimmed.is_some();
        parts.push(Part::Action(trimmed.unwrap_or(action).trim().to_owned()));
        rest = after;
    }
    parts.push(Part::Text(if trims { rest.trim_start() } else { rest }.to_owned()));
    Ok(parts)
}

struct Template<'a> {
    /// What comes next.
    parts: &'a [Part],
    variables: Vec<(String, Value)>,
}

impl Template<'_> {
    /// Goes on to the end of the template or of a `with`.
    fn run(&mut self, dot: &Value, rendered: &mut String, is_wanted: bool) -> Result<(), String> {
        while let Some((part, rest)) = self.parts.split_first() {
            let Part::Action(action) = part else {
                if let (Part::Text(text), true) = (part, is_wanted) {
                    *rendered += text;
                }
                self.parts = rest;
                continue;
            };
            if action == "end" {
                return Ok(());
            }
            self.parts = rest;
            if action.starts_with("/*") && action.ends_with("*/") {
                continue;
            }
            if let Some(condition) = action.strip_prefix("with ") {
                let value = if is_wanted { self.value(condition, dot)? } else { Value::Null };
                self.run(&value, rendered, is_wanted && is_true(&value))?;
                self.parts = self.parts.split_first().ok_or("a with without an end")?.1;
            } else if !is_wanted {
            } else if let Some((name, value)) = action.split_once(" := ") {
                let value = self.value(value, dot)?;
                self.variables.push((name.to_owned(), value));
            } else if let Some(name) = action.strip_prefix("setResourceNameAnnotation ") {
                *rendered += NAME;
                *rendered += ": ";
                *rendered += &text(name, &self.value(name, dot)?)?;
            } else {
                *rendered += &text(action, &self.value(action, dot)?)?;
            }
        }
        Ok(())
    }

    fn value(&self, expression: &str, dot: &Value) -> Result<Value, String> {
        let words = words(expression).ok_or_else(|| unknown(expression))?;
        match words.as_slice() {
            [word] => self.operand(word, dot),
            ["dig", path @ .., default, from] => {
                let from = self.operand(from, dot)?;
                let default = self.operand(default, dot)?;
                let found = path.iter().try_fold(&from, |value, name| value.get(name.trim_matches('"')));
                Ok(found.cloned().unwrap_or(default))
            }
            _ => Err(unknown(expression)),
        }
    }

    /// A text in quotes, a variable or a field.
    fn operand(&self, word: &str, dot: &Value) -> Result<Value, String> {
        if let Some(text) = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
            return Ok(text.into());
        }
        let (from, path) = word.split_once('.').unwrap_or((word, ""));
        let from = match from {
            "" => Some(dot),
            name if name.starts_with('$') => {
                self.variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            _ => None,
        };
        let from = from.ok_or_else(|| unknown(word))?;
        let path = path.split('.').filter(|name| !name.is_empty());
        let found = path.clone().try_fold(from, |value, name| value.get(name));
        found.cloned().ok_or_else(|| format!("{word} has no value"))
    }
}

/// The words of an expression; a text in quotes is one.
fn words(expression: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut rest = expression.trim();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"') {
            Some(quoted) => quoted.find('"')? + 2,
            None => rest.find(' ').unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at_checked(end)?;
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}

fn text(action: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{action} is no text: {value}"))
}

fn unknown(action: &str) -> String {
    format!("{action}: this action is not known here")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::render;

    #[test]
    fn the_actions_do_what_gos_do() {
        let request = json!({"observed": {"composite": {"resource": {"metadata": {"name": "acme"}}}}});
        let set = "{{- $xr := .observed.composite.resource }}\n";
        let table = [
            ("a {{ $xr.metadata.name }} b", "\na acme b"),
            ("a {{- \" x \" -}} b", "\na x b"),
            (r#"{{ "{{" }} {{ $xr.metadata.name }}:token }}"#, "\n{{ acme:token }}"),
            (
                r#"{{ setResourceNameAnnotation "x" }}"#,
                "\ngotemplating.fn.crossplane.io/composition-resource-name: x",
            ),
            (r#"{{ dig "metadata" "name" "" $xr }}"#, "\nacme"),
            (r#"{{ dig "status" "id" "none" $xr }}"#, "\nnone"),
            (r#"{{- /* no */}}{{ $is := "x" }}{{ dig "status" "id" $is $xr }}"#, "x"),
            (r#"{{- with dig "metadata" "name" "" $xr }} is {{ . }}{{ end }}."#, " is acme."),
            (r#"{{- with dig "status" "id" "" $xr }} is {{ .no.such }}{{ end }}."#, "."),
        ];
        for (template, rendered) in table {
            let whole = format!("{set}{template}");
            assert_eq!(render(&whole, &request).as_deref(), Ok(rendered), "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for template in [
            "{{ .observed.name }}",
            "{{ $xr.metadata }}",
            "{{ range .observed }}{{ end }}",
            "{{ end }}",
            "{{ with .observed }}",
            "{{ .observed",
            "{{ .observed }}",
        ] {
            assert!(render(template, &json!({"observed": {}})).is_err(), "{template}");
        }
    }
}
