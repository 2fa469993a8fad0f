//! Colours: they say again what the words say, and are taken out where there is no terminal (or `NO_COLOR` is set).

use anstyle::{AnsiColor, Style};

/// It fits.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// It fits barely; a warning.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// It does not fit; an error.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// A heading.
pub(super) const HEAD: Style = Style::new().bold();
/// The heads of columns.
pub(super) const DIM: Style = Style::new().dimmed();
