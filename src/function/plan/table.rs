//! The tables of ARCHITECTURE.md, for the tests that hold decisions to them.

use std::path::Path;

/// A row of the table: the words of its cells, of which the last says what is done.
pub(super) struct Row(pub(super) Vec<String>);

impl Row {
    /// Whether it is of a situation. An empty cell is of any.
    pub(super) fn fits(&self, situation: &[&str]) -> bool {
        let cells = &self.0[..self.0.len() - 1];
        assert_eq!(cells.len(), situation.len(), "{cells:?}");
        cells
            .iter()
            .zip(situation)
            .all(|(cell, is)| cell.is_empty() || cell.split(" or ").any(|it| it == *is))
    }
}

/// The rows of the table whose head begins so.
pub(super) fn rows(head: &str) -> Vec<Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, table) = text.split_once(head).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.lines().skip(2).take_while(|line| line.starts_with('|')).map(|line| Row(cells(line))).collect()
}
