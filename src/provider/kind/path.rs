//! Paths of folders, as the server has them: `/`, `/team/api`.

/// A path with one slash at its beginning and between its names, and none at its end.
pub(super) fn normal(path: &str) -> String {
    let names = path.split('/').filter(|name| !name.is_empty());
    let normal = names.fold(String::with_capacity(path.len() + 1), |path, name| path + "/" + name);
    if normal.is_empty() { "/".to_owned() } else { normal }
}

/// The path of what is called so in the folder of a path.
pub(super) fn joined(path: &str, name: &str) -> String {
    normal(&format!("{path}/{name}"))
}

/// The path of the folder that something is in, and its name there; `None` for the root.
pub(super) fn split(path: &str) -> Option<(String, String)> {
    let path = normal(path);
    let (parent, name) = path.rsplit_once('/')?;
    (!name.is_empty()).then(|| (normal(parent), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_ends_and_doubled_ones_do_not_matter() {
        let table = [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("team", "/team"),
            ("/team/api/", "/team/api"),
            ("team//api", "/team/api"),
        ];
        for (path, expected) in table {
            assert_eq!(normal(path), expected, "{path:?}");
        }
    }

    #[test]
    fn a_path_is_a_folder_and_a_name_in_it() {
        let table = [
            ("/team/api", Some(("/team", "api"))),
            ("team", Some(("/", "team"))),
            ("/a/b/c/", Some(("/a/b", "c"))),
            ("/", None),
            ("", None),
        ];
        for (path, expected) in table {
            let expected = expected.map(|(path, name)| (path.to_owned(), name.to_owned()));
            assert_eq!(split(path), expected, "{path:?}");
            if let Some((parent, name)) = expected {
                assert_eq!(joined(&parent, &name), normal(path));
            }
        }
    }
}
