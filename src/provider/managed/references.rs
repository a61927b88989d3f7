//! Where `…Ref` and `…Selector` lead.
//!
//! When a reference is looked up and when its failure counts is as in
//! crossplane-runtime's `pkg/reference`, but for one thing: a value that the provider
//! wrote itself is looked up again, so that a project that was made anew under another id
//! takes its environments with it. A value that an author wrote stays.

use std::collections::BTreeMap;

use crate::api::reference::{Reference, ReferencePolicy, Resolution, Resolve, Selector};

/// Who writes resolved values into a spec, as the field manager of a server-side apply.
pub const FIELD_MANAGER: &str = "managed.crossplane.io/api-simple-reference-resolver";

/// One parameter that may be given by reference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The value that is there.
    pub current: Option<&'a str>,
    /// Whether the provider wrote the value, so that it may be out of date.
    pub is_ours: bool,
    /// What `…Ref` says.
    pub reference: Option<&'a Reference>,
    /// What `…Selector` says.
    pub selector: Option<&'a Selector>,
    /// The uid of the controller of the object that refers.
    pub controller: Option<&'a str>,
}

/// What has to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUp<'a> {
    /// Nothing: what is there counts.
    Nothing,
    /// The object of this name.
    Named(&'a str),
    /// The objects that have these labels.
    Selected(&'a Selector),
}

/// An object that may be meant.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// The uid of its controller.
    pub controller: Option<&'a str>,
    /// What is referred to, once it has that: its id on the server.
    pub value: Option<&'a str>,
}

/// What a parameter comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The value, where there is one.
    pub value: Option<String>,
    /// The name of the object that a selector chose.
    pub chosen: Option<String>,
}

/// Why a required reference leads nowhere yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// There is no object of the name.
    #[error("cannot get referenced resource \"{0}\": it does not exist")]
    Missing(String),
    /// No object has the labels and the controller.
    #[error("no resources matched selector")]
    NoMatch,
    /// The object has no id yet.
    #[error("referenced field was empty (\"{0}\" may not yet be ready)")]
    NoValue(String),
}

impl<'a> Request<'a> {
    /// What has to be looked up. Nothing while the object is deleted: what it refers to
    /// is probably deleted with it.
    #[must_use]
    pub fn look_up(&self, is_deleted: bool) -> LookUp<'a> {
        let is_settled = self.current.is_some_and(|value| !value.is_empty()) && !self.is_ours;
        if is_deleted || (is_settled && !self.is_always()) {
            return LookUp::Nothing;
        }
        match (self.reference, self.selector) {
            // A reference beside a selector is what the selector chose before.
            (_, Some(selector)) if self.is_ours || is_always(selector.policy) => LookUp::Selected(selector),
            (Some(reference), _) => LookUp::Named(&reference.name),
            (None, Some(selector)) => LookUp::Selected(selector),
            (None, None) => LookUp::Nothing,
        }
    }

    fn is_always(&self) -> bool {
        match (self.reference, self.selector) {
            (_, Some(selector)) => is_always(selector.policy),
            (Some(reference), None) => is_always(reference.policy),
            (None, None) => false,
        }
    }

    /// What it comes to, of the object that was looked up by name.
    ///
    /// # Errors
    /// When it must be found and leads nowhere yet, and there is no value from before.
    pub fn named(
        &self,
        reference: &Reference,
        found: Option<&Candidate<'_>>,
    ) -> Result<Resolved, Unresolved> {
        let answer = match found {
            None => Err(Unresolved::Missing(reference.name.clone())),
            Some(found) => value_of(found).map(|value| Resolved { value: Some(value), chosen: None }),
        };
        self.or_what_there_is(answer, reference.policy)
    }

    /// What it comes to, of the objects of the kind.
    ///
    /// # Errors
    /// When it must be found and leads nowhere yet, and there is no value from before.
    pub fn selected(&self, selector: &Selector, found: &[Candidate<'_>]) -> Result<Resolved, Unresolved> {
        let before = self.reference.map(|reference| &*reference.name);
        let matching = found.iter().filter(|candidate| self.is_selected(selector, candidate));
        // The one from before, while it matches; else the first by name.
        let chosen = matching.min_by_key(|candidate| (Some(candidate.name) != before, candidate.name));
        let answer = match chosen {
            None => Err(Unresolved::NoMatch),
            Some(chosen) => value_of(chosen)
                .map(|value| Resolved { value: Some(value), chosen: Some(chosen.name.to_owned()) }),
        };
        self.or_what_there_is(answer, selector.policy)
    }

    fn is_selected(&self, selector: &Selector, candidate: &Candidate<'_>) -> bool {
        let has = |(key, value): (&String, &String)| {
            candidate.labels.and_then(|labels| labels.get(key)) == Some(value)
        };
        let controller = selector.match_controller_ref == Some(true);
        selector.match_labels.iter().flatten().all(has)
            && (!controller || (self.controller.is_some() && self.controller == candidate.controller))
    }

    /// What was found, or else the value from before: what it named may be gone for a
    /// moment, and whoever still uses its id learns from the server whether that is so.
    fn or_what_there_is(
        &self,
        answer: Result<Resolved, Unresolved>,
        policy: Option<ReferencePolicy>,
    ) -> Result<Resolved, Unresolved> {
        let before = self.current.filter(|value| !value.is_empty() && self.is_ours);
        match answer {
            Ok(resolved) => Ok(resolved),
            Err(_) if before.is_some() => Ok(Resolved { value: before.map(str::to_owned), chosen: None }),
            Err(_) if policy.and_then(|policy| policy.resolution) == Some(Resolution::Optional) => {
                Ok(Resolved::default())
            }
            Err(unresolved) => Err(unresolved),
        }
    }
}

fn value_of(candidate: &Candidate<'_>) -> Result<String, Unresolved> {
    let value = candidate.value.filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| Unresolved::NoValue(candidate.name.to_owned()))
}

fn is_always(policy: Option<ReferencePolicy>) -> bool {
    policy.and_then(|policy| policy.resolve) == Some(Resolve::Always)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: ReferencePolicy = ReferencePolicy { resolve: Some(Resolve::Always), resolution: None };
    const OPTIONAL: ReferencePolicy =
        ReferencePolicy { resolve: None, resolution: Some(Resolution::Optional) };

    fn to(name: &str, policy: Option<ReferencePolicy>) -> Reference {
        Reference { name: name.to_owned(), policy }
    }

    fn select(policy: Option<ReferencePolicy>) -> Selector {
        Selector { match_labels: None, match_controller_ref: Some(true), policy }
    }

    fn candidate<'a>(name: &'a str, controller: &'a str, value: Option<&'a str>) -> Candidate<'a> {
        Candidate { name, labels: None, controller: Some(controller), value }
    }

    #[test]
    fn what_is_looked_up() {
        let (plain, always) = (to("a", None), to("a", Some(ALWAYS)));
        let (chooses, chooses_always) = (select(None), select(Some(ALWAYS)));
        let nothing = Request::default();
        let there = Request { current: Some("id"), ..nothing };
        let ours = Request { is_ours: true, ..there };
        let table = [
            ("no reference", nothing, false, LookUp::Nothing),
            ("by name", Request { reference: Some(&plain), ..nothing }, false, LookUp::Named("a")),
            ("deleted", Request { reference: Some(&plain), ..nothing }, true, LookUp::Nothing),
            ("there already", Request { reference: Some(&plain), ..there }, false, LookUp::Nothing),
            (
                "an empty value",
                Request { current: Some(""), reference: Some(&plain), ..nothing },
                false,
                LookUp::Named("a"),
            ),
            ("there, but always", Request { reference: Some(&always), ..there }, false, LookUp::Named("a")),
            (
                "ours is looked up again",
                Request { reference: Some(&plain), ..ours },
                false,
                LookUp::Named("a"),
            ),
            ("selected", Request { selector: Some(&chooses), ..nothing }, false, LookUp::Selected(&chooses)),
            ("selected before", Request { selector: Some(&chooses), ..there }, false, LookUp::Nothing),
            (
                "the reference goes before the selector",
                Request { reference: Some(&plain), selector: Some(&chooses), ..nothing },
                false,
                LookUp::Named("a"),
            ),
            (
                "a selector that always chooses",
                Request { reference: Some(&plain), selector: Some(&chooses_always), ..there },
                false,
                LookUp::Selected(&chooses_always),
            ),
            (
                "what we chose is chosen again",
                Request { reference: Some(&plain), selector: Some(&chooses), ..ours },
                false,
                LookUp::Selected(&chooses),
            ),
        ];
        for (reason, request, is_deleted, expected) in table {
            assert_eq!(request.look_up(is_deleted), expected, "{reason}");
        }
    }

    #[test]
    fn what_a_name_comes_to() {
        let (required, optional) = (to("a", None), to("a", Some(OPTIONAL)));
        let none = Request::default();
        let ours = Request { current: Some("old"), is_ours: true, ..none };
        let ready = candidate("a", "xr", Some("new"));
        let waiting = candidate("a", "xr", None);
        let value = |value: &str| Ok(Resolved { value: Some(value.to_owned()), chosen: None });
        let table = [
            ("found", none, &required, Some(&ready), value("new")),
            ("missing", none, &required, None, Err(Unresolved::Missing("a".to_owned()))),
            ("not ready", none, &required, Some(&waiting), Err(Unresolved::NoValue("a".to_owned()))),
            ("missing, and that is fine", none, &optional, None, Ok(Resolved::default())),
            ("made anew under another id", ours, &required, Some(&ready), value("new")),
            ("made anew, and not ready", ours, &required, Some(&waiting), value("old")),
            ("gone", ours, &required, None, value("old")),
        ];
        for (reason, request, reference, found, expected) in table {
            assert_eq!(request.named(reference, found), expected, "{reason}");
        }
    }

    #[test]
    fn what_a_selector_comes_to() {
        let chooses = select(None);
        let request = Request { controller: Some("xr"), ..Request::default() };
        let chose = |value: &str, name: &str| {
            Ok(Resolved { value: Some(value.to_owned()), chosen: Some(name.to_owned()) })
        };
        let (b, c, foreign) = (
            candidate("b", "xr", Some("2")),
            candidate("c", "xr", Some("3")),
            candidate("a", "other", Some("1")),
        );
        assert_eq!(request.selected(&chooses, &[c, foreign, b]), chose("2", "b"), "the first by name");
        assert_eq!(request.selected(&chooses, &[foreign]), Err(Unresolved::NoMatch), "another controller");
        let orphan = Request { controller: None, ..request };
        assert_eq!(orphan.selected(&chooses, &[b]), Err(Unresolved::NoMatch), "no controller matches none");
        let before = to("c", None);
        let again = Request { reference: Some(&before), ..request };
        assert_eq!(again.selected(&chooses, &[b, c]), chose("3", "c"), "the one from before");
        let fine = select(Some(OPTIONAL));
        assert_eq!(request.selected(&fine, &[]), Ok(Resolved::default()), "none, and that is fine");
    }

    #[test]
    fn all_labels_of_a_selector_must_be_there() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let selector =
            Selector { match_labels: Some(labels(&[("team", "a"), ("tier", "1")])), ..Selector::default() };
        let table = [
            ("both and more", labels(&[("team", "a"), ("tier", "1"), ("x", "y")]), true),
            ("one is missing", labels(&[("team", "a")]), false),
            ("one is another", labels(&[("team", "a"), ("tier", "2")]), false),
        ];
        for (reason, labels, expected) in table {
            let found = Candidate { name: "p", labels: Some(&labels), controller: None, value: Some("id") };
            assert_eq!(Request::default().selected(&selector, &[found]).is_ok(), expected, "{reason}");
        }
    }
}
