//! What somebody meant who misspelt a name, for messages.

/// Longer names are compared with nothing: what they cost grows with the square.
const LONGEST: usize = 64;

/// The one of the known names that is nearest to a wrong one, if any is so near
/// that it was probably meant: one slip in a short name, two in a longer one.
/// A slip is a letter too many, too few, another, or two that are swapped.
/// Capitals count for nothing.
#[must_use]
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |name: &str| name.to_lowercase().chars().collect::<Vec<char>>();
    if wrong.len() > LONGEST {
        return None;
    }
    let wrong = letters(wrong);
    let near = known.into_iter().filter(|name| name.len() <= LONGEST).filter_map(|name| {
        let known = letters(name);
        let limit = if known.len() < 8 { 1 } else { 2 };
        Some(slips(&wrong, &known))
            .filter(|slips| *slips <= limit && *slips < known.len())
            .map(|it| (it, name))
    });
    // Of several the first by name, so that the same state says the same.
    near.min().map(|(_, name)| name)
}

/// The distance of Damerau and Levenshtein, where no letter moves twice.
fn slips(one: &[char], other: &[char]) -> usize {
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or_default();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = at(&last, j) + usize::from(a != b);
            let mut least = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let are_swapped = i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if are_swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_name_is_not() {
        let known = ["email", "emailFromCompositeFieldPath", "credentials", "secretRef", "url", "tls"];
        let table = [
            ("emial", Some("email")),
            ("Email", Some("email")),
            ("emai", Some("email")),
            ("e-mail", Some("email")),
            ("credential", Some("credentials")),
            ("crednetial", Some("credentials")),
            ("secretref", Some("secretRef")),
            ("secret", None),
            ("password", None),
            ("URL", Some("url")),
            ("uri", Some("url")),
            ("", None),
            ("marker-of-a-secret", None),
        ];
        for (wrong, expected) in table {
            assert_eq!(nearest(wrong, known), expected, "{wrong}");
        }
        assert_eq!(nearest("a", ["b", "c"]), None, "all of a name is no slip");
        assert_eq!(nearest("infisical", ["infisical-2", "infisical2", "infisical1"]), Some("infisical1"));
    }

    proptest! {
        #[test]
        fn a_name_is_nearest_to_itself(name in ".{1,20}", other in ".{0,20}") {
            prop_assert_eq!(slips(&name.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>()), 0);
            prop_assert!(nearest(&name, [name.as_str(), other.as_str()]).is_some() || name.len() > LONGEST
                || name.to_lowercase().chars().count() == 0);
        }
    }
}
