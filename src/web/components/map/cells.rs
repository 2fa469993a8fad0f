//! The map as a grid that can be walked by keys.

use crate::estimate::Verdict;
use crate::web::chart::{MapChart, Picture, shapes};
use crate::web::grid::{BATCHES, Cell, SEQS};
use crate::words::{count, size};
use wasm_bindgen::JsCast;
use web_sys::SvgElement;
use yew::prelude::*;

/// The grid; `choose` is told the batch and the length of a cell.
pub fn cells(chart: &MapChart, picture: &Picture, choose: &Callback<(u64, u64)>) -> Html {
    let current = nearest(chart.point);
    let cell = |row: usize, column: usize| {
        let value = chart.map[row][column];
        let at = (BATCHES[row], SEQS[column]);
        let here = current == (row, column);
        let onclick = value
            .live
            .is_some()
            .then(|| choose.reform(move |_: MouseEvent| at));
        html! {
            <g key={column} role="gridcell" class="cell-group" data-cell={format!("{row}-{column}")}
                tabindex={if here { "0" } else { "-1" }} aria-selected={(chart.point == at).to_string()}
                aria-disabled={value.live.is_none().then_some("true")} aria-label={told(at, &value)} {onclick}
                onkeydown={keys(row, column, value.live.is_some(), choose)}>
                {shapes(picture.group(MapChart::group(row, column)))}
            </g>
        }
    };
    html! {
        <svg viewBox={format!("0 0 {} {}", picture.width, picture.height)} height={picture.height.to_string()}
            width="100%" role="grid" aria-labelledby="map-title">
            <g aria-hidden="true">{shapes(picture.group(0))}</g>
            for row in (0..BATCHES.len()).rev() {
                <g key={row} role="row">{for (0..SEQS.len()).map(|column| cell(row, column))}</g>
            }
            <g class="frame" aria-hidden="true">{shapes(picture.group(MapChart::top_group()))}</g>
        </svg>
    }
}

/// The cell of the marks that are nearest to a point.
fn nearest((batch, seq): (u64, u64)) -> (usize, usize) {
    let place = |marks: &[u64], value: u64| {
        let away = |mark: &u64| (value.max(1) as f64 / *mark as f64).ln().abs();
        let places = marks.iter().enumerate();
        places
            .min_by(|a, b| away(a.1).total_cmp(&away(b.1)))
            .map_or(0, |(place, _)| place)
    };
    (place(&BATCHES, batch), place(&SEQS, seq))
}

/// Arrows go from cell to cell, Enter and the space bar choose.
fn keys(row: usize, column: usize, free: bool, choose: &Callback<(u64, u64)>) -> Callback<KeyboardEvent> {
    let choose = choose.clone();
    Callback::from(move |event: KeyboardEvent| {
        let (row, column) = match event.key().as_str() {
            "ArrowUp" => ((row + 1).min(BATCHES.len() - 1), column),
            "ArrowDown" => (row.saturating_sub(1), column),
            "ArrowRight" => (row, (column + 1).min(SEQS.len() - 1)),
            "ArrowLeft" => (row, column.saturating_sub(1)),
            "Home" => (row, 0),
            "End" => (row, SEQS.len() - 1),
            "Enter" | " " if free => {
                choose.emit((BATCHES[row], SEQS[column]));
                (row, column)
            }
            _ => return,
        };
        event.prevent_default();
        let cell = gloo::utils::document().query_selector(&format!("[data-cell='{row}-{column}']"));
        if let Ok(Some(cell)) = cell {
            let _ = cell.unchecked_into::<SvgElement>().focus();
        }
    })
}

/// A cell in words.
fn told((batch, seq): (u64, u64), cell: &Cell) -> String {
    let which = format!("batch {}, {} tokens", count(batch), count(seq));
    let Some(live) = cell.live else {
        return format!("{which}: not accepted");
    };
    let verdict = match cell.verdict {
        Some(Verdict::Fits) => ", fits",
        Some(Verdict::Tight) => ", tight",
        Some(Verdict::Exceeds) => ", does not fit",
        None => "",
    };
    format!("{which}: {} allocated{verdict}", size(live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_between_marks_is_at_the_nearer_one() {
        assert_eq!(nearest((2, 2048)), (1, 3));
        assert_eq!(nearest((3, 3000)), (2, 4));
        assert_eq!(nearest((0, u64::MAX)), (0, SEQS.len() - 1));
    }
}
