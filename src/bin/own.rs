//! The entry point of the panel for a model of one's own.

fn main() {
    plimsoll::web::own::run();
}
