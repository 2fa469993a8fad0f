//! Tables without lines, indented by two spaces. Where the terminal is narrow, words in the last column are wrapped.

use std::fmt::Write;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, presets};

use super::style::DIM;

const INDENT: &str = "  ";
/// Below this, wrapping words is worse than letting the terminal wrap lines.
const NARROWEST: u16 = 60;

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lays out rows under column heads; without heads when all are empty.
pub(super) fn table<const N: usize>(columns: [(&str, Align); N], rows: &[[String; N]]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING);
    let heads = columns.iter().any(|(head, _)| !head.is_empty());
    if heads {
        table.set_header(columns.map(|(head, _)| head));
    }
    table.add_rows(rows);
    for (index, (column, (_, align))) in table.column_iter_mut().zip(columns).enumerate() {
        column.set_padding((0, 2));
        if index + 1 < N || align == Align::Right {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        column.set_cell_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    if let Some(width) = terminal_width().filter(|width| *width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width - INDENT.len() as u16);
    }
    let mut text = String::new();
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        // Writing to a String cannot fail.
        let _ = match heads && number == 0 {
            true => writeln!(text, "{INDENT}{DIM}{line}{DIM:#}"),
            false => writeln!(text, "{INDENT}{line}"),
        };
    }
    text
}

/// Columns of the terminal that standard output is; nothing when it is a file or a pipe.
fn terminal_width() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_words_end() {
        let rows = [["a".to_string(), "1".into()], ["longer".into(), "1000".into()]];
        let text = table([("name", Align::Left), ("n", Align::Right)], &rows);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain, "  name       n\n  a          1\n  longer  1000\n");
    }

    #[test]
    fn a_table_without_heads_starts_with_its_first_row() {
        let text = table(
            [("", Align::Left), ("", Align::Left)],
            &[["a".into(), "b".into()]],
        );
        assert_eq!(text, "  a  b\n");
    }
}
