//! The module without the part of it that most pages do not need.

use crate::node::{file, package, printed};
use std::process::Command;

#[test]
#[ignore = "needs Node and the built module: cargo xtask test"]
fn what_takes_the_rest_says_so_until_it_is_loaded() {
    let said = printed(
        Command::new("node")
            .arg(file("tests/module/rest.mjs"))
            .arg(package()),
        String::new(),
    );
    assert_eq!(
        said,
        "answered not_loaded not_loaded not_loaded\nanswered answered answered answered\n"
    );
}
