//! The RBAC of Crossplane's own chart, read from Crossplane's sources.
//!
//! Helm is not needed: of the templates only those are read whose values have
//! one meaning here, and a template that is not understood is an error.

use std::{fs, path::Path};

use serde_json::Value;

use crate::NAMESPACE;

const TEMPLATES: [&str; 6] = [
    "clusterrole.yaml",
    "clusterrolebinding.yaml",
    "rbac-manager-allowed-provider-permissions.yaml",
    "rbac-manager-clusterrole.yaml",
    "rbac-manager-clusterrolebinding.yaml",
    "rbac-manager-managed-clusterroles.yaml",
];

/// Roles and bindings of Crossplane and its RBAC manager.
pub(crate) fn rbac(crossplane_source: &Path) -> Vec<Value> {
    let templates = crossplane_source.join("cluster/charts/crossplane/templates");
    let rendered = TEMPLATES.iter().flat_map(|name| {
        let text = fs::read_to_string(templates.join(name)).expect("the chart is part of the module");
        let yaml = render(&text);
        let documents = yaml.split("\n---").map(str::to_owned).collect::<Vec<_>>();
        documents.into_iter().filter(|document| document.contains("kind:"))
    });
    rendered.map(|document| serde_saphyr::from_str(&document).expect("the chart is YAML")).collect()
}

/// With the chart's defaults: the RBAC manager is deployed, and the service
/// account is the chart's.
fn render(template: &str) -> String {
    let mut lines = Vec::new();
    let mut skipping = false;
    for line in template.lines() {
        match line.trim() {
            "{{- if not .Values.serviceAccount.create }}" => skipping = true,
            "{{- else }}" => skipping = false,
            // Labels, and conditions that hold.
            text if text.starts_with("{{-") => {}
            _ if skipping => {}
            _ => lines.push(
                line.replace("{{ template \"crossplane.name\" . }}", "crossplane")
                    .replace("{{ .Release.Namespace }}", NAMESPACE)
                    .replace("{{- end}}", ""),
            ),
        }
    }
    let text = lines.join("\n");
    assert!(!text.contains("{{"), "the chart has a template that is not understood:\n{text}");
    text
}
