//! The kinds: a file for each, with what differs, what is shown, and which routes.

mod project;
