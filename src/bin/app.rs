//! The page's entry point: mounts the app.

fn main() {
    plimsoll::web::run();
}
