//! What Crossplane's RBAC manager grants to a provider, as `RenderClusterRoles` of its
//! controller `rbac/provider/roles` makes the system role; it was the same in 2.3.4 and
//! 2.4.2.

use std::{collections::BTreeSet, fmt};

use provider_infisical::api::crd;

/// One request, as RBAC sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) verb: &'static str,
    pub(super) group: String,
    /// With its subresource.
    pub(super) resource: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

struct Rule {
    groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<&'static str>,
}

/// All rules of a role.
pub(super) struct Rights(Vec<Rule>);

const VIEW: [&str; 3] = ["get", "list", "watch"];

impl Rights {
    /// Those of the role of a revision with the CRDs of our package, which starts safely.
    pub(super) fn of_package() -> Self {
        let crds = crd::all();
        let names = crds.iter().filter_map(|crd| crd.manifest["metadata"]["name"].as_str()?.split_once('.'));
        let mut plurals = Vec::new();
        let mut groups = BTreeSet::new();
        for (plural, group) in names {
            plurals.extend([plural.to_owned(), format!("{plural}/status")]);
            groups.insert(group.to_owned());
        }
        let groups: Vec<_> = groups.into_iter().collect();
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let everything = ["secrets", "configmaps", "events", "leases"];
        Self(vec![
            Rule {
                groups: groups.clone(),
                resources: plurals,
                verbs: [&VIEW[..], &["update", "patch", "create"]].concat(),
            },
            Rule { groups, resources: texts(&["*/finalizers"]), verbs: vec!["update"] },
            Rule {
                groups: texts(&["", "coordination.k8s.io"]),
                resources: texts(&everything),
                verbs: vec!["*"],
            },
            Rule {
                groups: texts(&["apiextensions.k8s.io"]),
                resources: texts(&["customresourcedefinitions"]),
                verbs: VIEW.to_vec(),
            },
        ])
    }

    /// The same without those on one resource.
    pub(super) fn without(mut self, resource: &str) -> Self {
        self.0.iter_mut().for_each(|rule| rule.resources.retain(|it| it != resource));
        self
    }

    /// Whether one of the rules allows it.
    pub(super) fn allow(&self, asked: &Asked) -> bool {
        let is_resource = |rule: &str| {
            rule == asked.resource
                || rule.strip_prefix('*').is_some_and(|rest| asked.resource.ends_with(rest))
        };
        self.0.iter().any(|rule| {
            rule.groups.contains(&asked.group)
                && rule.resources.iter().any(|it| is_resource(it))
                && rule.verbs.iter().any(|verb| *verb == "*" || *verb == asked.verb)
        })
    }
}

#[test]
fn a_provider_may_not_delete_what_is_of_its_own_kinds() {
    let rights = Rights::of_package();
    let allow = |verb: &'static str, resource: &str, group: &str| {
        rights.allow(&Asked { verb, group: group.to_owned(), resource: resource.to_owned() })
    };
    let ours = "infisical.m.crossplane.io";
    for verb in ["get", "list", "watch", "update", "patch", "create"] {
        assert!(allow(verb, "projects", ours), "{verb}");
    }
    assert!(!allow("delete", "projects", ours));
    assert!(!allow("delete", "providerconfigusages", ours));
    assert!(allow("patch", "projects/status", ours));
    assert!(allow("update", "projects/finalizers", ours));
    assert!(!allow("patch", "projects/finalizers", ours));
    assert!(allow("delete", "secrets", "") && allow("create", "leases", "coordination.k8s.io"));
    assert!(!allow("create", "events", "events.k8s.io") && !allow("get", "namespaces", ""));
    assert!(allow("watch", "customresourcedefinitions", "apiextensions.k8s.io"));
    assert!(!allow("patch", "customresourcedefinitions", "apiextensions.k8s.io"));
}
