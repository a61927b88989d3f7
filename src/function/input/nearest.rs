//! What somebody meant who misspelt a name, for messages. The distance between two
//! names is strsim's; here is how near is near enough.

/// Longer names are compared with nothing: what they cost grows with the square.
const LONGEST: usize = 64;

/// The one of the known names that is nearest to a wrong one, if any is so near
/// that it was probably meant: one slip in a short name, two in a longer one.
/// A slip is a letter too many, too few, another, or two that are swapped.
/// Capitals count for nothing. Names that are numbered differently are names of
/// different things, and one of one or two letters is near to too many.
#[must_use]
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > LONGEST {
        return None;
    }
    let (small, number) = (wrong.to_lowercase(), number(wrong));
    let near = known.into_iter().filter(|name| name.len() <= LONGEST).filter_map(|name| {
        let slips = strsim::osa_distance(&small, &name.to_lowercase());
        let other = self::number(name);
        let is_another = !number.is_empty() && !other.is_empty() && number != other;
        (slips <= forgiven(name) && !is_another).then_some((slips, name))
    });
    // Of several the first by name, so that the same state says the same.
    near.min().map(|(_, name)| name)
}

/// How many slips a name may be away.
fn forgiven(name: &str) -> usize {
    match name.chars().count() {
        ..3 => 0,
        3..8 => 1,
        8.. => 2,
    }
}

/// The digits of a name.
fn number(name: &str) -> String {
    name.chars().filter(char::is_ascii_digit).collect()
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
            ("ur", Some("url")),
            ("marker-of-a-secret", None),
        ];
        for (wrong, expected) in table {
            assert_eq!(nearest(wrong, known), expected, "{wrong}");
        }
        for (wrong, others) in [("b", "a"), ("id", "ip"), ("ipv4", "ipv6"), ("infisical-1", "infisical-2")] {
            assert_eq!(nearest(wrong, [others]), None, "{wrong} is another than {others}");
        }
        assert_eq!(nearest("ID", ["id"]), Some("id"));
        assert_eq!(nearest("infiscal-1", ["infisical-1", "infisical-2"]), Some("infisical-1"));
        assert_eq!(nearest("infisical", ["infisical-2", "infisical2", "infisical1"]), Some("infisical1"));
    }

    #[test]
    fn a_long_name_is_compared_with_nothing() {
        let (just, more) = ("a".repeat(LONGEST), "a".repeat(LONGEST + 1));
        assert_eq!(nearest(&just, [just.as_str()]), Some(just.as_str()));
        assert_eq!(nearest(&just, [more.as_str()]), None);
        assert_eq!(nearest(&more, [just.as_str()]), None);
    }

    proptest! {
        #[test]
        fn a_letter_too_few_is_forgiven_and_no_more_than_two_slips_are(
            name in "[a-zA-Zé]{3,70}",
            at in any::<prop::sample::Index>(),
            other in ".{0,20}",
        ) {
            let mut wrong: Vec<char> = name.chars().collect();
            wrong.remove(at.index(wrong.len()));
            let wrong: String = wrong.into_iter().collect();
            match nearest(&wrong, [name.as_str(), other.as_str()]) {
                Some(meant) => {
                    prop_assert!(meant == other || meant == name && name.len() <= LONGEST);
                    prop_assert!(strsim::osa_distance(&wrong.to_lowercase(), &meant.to_lowercase()) <= 2);
                }
                None => prop_assert!(name.len() > LONGEST),
            }
        }
    }
}
