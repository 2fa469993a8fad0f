//! Ranges of addresses.

use std::ops::Range;

/// Ranges in order, those that touch or overlap as one.
pub fn joined(mut ranges: Vec<Range<u32>>) -> Vec<Range<u32>> {
    ranges.sort_by_key(|range| range.start);
    let mut all: Vec<Range<u32>> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match all.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => all.push(range),
        }
    }
    all
}

/// What is in some ranges and not in others, both in order.
pub fn less(ranges: Vec<Range<u32>>, others: &[Range<u32>]) -> Vec<(u32, u32)> {
    let mut left = Vec::new();
    for range in ranges {
        let mut start = range.start;
        let first = others.partition_point(|other| other.end <= range.start);
        for other in others[first..].iter().take_while(|other| other.start < range.end) {
            if start < other.start {
                left.push((start, other.start));
            }
            start = other.end;
        }
        if start < range.end {
            left.push((start, range.end));
        }
    }
    left
}

/// What ranges of addresses have of a segment: ranges of its bytes.
pub fn inside(ranges: &[(u32, u32)], start: u32, len: usize) -> Vec<(usize, usize)> {
    let end = start as usize + len;
    let within = |&(from, to): &(u32, u32)| (from.max(start) as usize, (to as usize).min(end));
    let found = ranges.iter().map(within).filter(|(from, to)| from < to);
    found
        .map(|(from, to)| (from - start as usize, to - start as usize))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_ranges_is_in_none_of_the_others() {
        let ranges = joined(vec![20..30, 0..10, 5..12, 40..40]);
        assert_eq!(ranges, [0..12, 20..30]);
        assert_eq!(
            less(ranges.clone(), &[2..4, 11..22, 30..50]),
            [(0, 2), (4, 11), (22, 30)]
        );
        assert_eq!(less(ranges, std::slice::from_ref(&(0..30))), []);
    }
}
