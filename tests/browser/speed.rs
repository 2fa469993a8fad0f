//! How fast the page is: a report, not a test. `cargo xtask bench-page` prints it.

use crate::page::{Page, on_page};
use crate::webdriver::Session;
use serde_json::{Value, json};

/// Loads of the page; each with an empty cache.
const LOADS: usize = 7;

/// Notes when the answer has been painted: a task begun in the frame of the change runs after that frame.
const WATCH_FIRST_ANSWER: &str = "
    new MutationObserver((_, watch) => {
        if (!document.querySelector('[data-testid=process]')) return;
        watch.disconnect();
        requestAnimationFrame(() => setTimeout(() => window.firstAnswer = performance.now()));
    }).observe(document, { childList: true, subtree: true });";

/// Types each value into a field and times, from the input event on, the first painted change of the answer and the last
/// one: the quantities may follow one after the other. Between two values all panels come to rest.
const TIME_INPUT: &str = "
    const [part, values, done] = arguments;
    const field = document.querySelector(`[data-testid=${part}]`);
    const answer = document.querySelector('.glance').parentNode;
    const seen = () => ['verdict', 'allocated', 'reserved', 'process', 'least']
        .map(part => document.querySelector(`[data-testid=${part}]`)?.textContent).join('|');
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    const times = [];
    const next = () => {
        const value = values.shift();
        if (value === undefined) return done(times);
        let before = seen(), first = null, last = null;
        const start = performance.now();
        const watch = new MutationObserver(() => {
            const now = seen();
            if (now === before) return;
            before = now;
            requestAnimationFrame(() => setTimeout(() => {
                last = performance.now() - start;
                first ??= last;
            }));
        });
        watch.observe(answer, { childList: true, subtree: true, characterData: true });
        set.call(field, value);
        field.dispatchEvent(new InputEvent('input', { bubbles: true }));
        const handled = performance.now() - start;
        setTimeout(() => { watch.disconnect(); times.push([handled, first, last]); next(); }, 1500);
    };
    next();";

#[test]
#[ignore = "a report: cargo xtask bench-page"]
fn report() {
    let loads: Vec<[f64; 3]> = (0..LOADS).map(|_| load()).collect();
    println!("{:<44} {:>8} {:>8}", "milliseconds", "median", "p95");
    for (i, what) in ["first paint", "first answer painted", "all files loaded"]
        .into_iter()
        .enumerate()
    {
        print_line(what, loads.iter().map(|load| load[i]).collect());
    }
    for (name, model) in [
        ("Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("Qwen3-235B-A22B, 94 layers of experts", "Qwen/Qwen3-235B-A22B"),
    ] {
        on_page(&format!("#model={model}&gpu=h100-80gb-sxm"), |page| {
            // At rest first, so that the first value is not timed together with the start.
            std::thread::sleep(std::time::Duration::from_secs(4));
            let lengths: Vec<String> = (1..16).map(|i| (i * 256 + 17).to_string()).collect();
            let before = cpu(page);
            let times = time(page, "seq", &lengths);
            let each = (cpu(page) - before) / lengths.len() as f64;
            let column = |i: usize| times.iter().map(|row| row[i]).collect();
            print_line(&format!("{name}: input handled"), column(0));
            print_line("  first change of the answer painted", column(1));
            print_line("  whole answer painted", column(2));
            println!(
                "  {:<42} {each:>8.1}",
                "processor time of the page's thread, mean"
            );
        });
    }
}

/// First paint, first answer, and the last file of one load.
fn load() -> [f64; 3] {
    let page = Page {
        session: Session::start(),
    };
    page.session.devtools(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": WATCH_FIRST_ANSWER }),
    );
    page.open("");
    page.until("the answer is painted", || {
        page.run("return window.firstAnswer > 0", json!([])) == true
    });
    let times = page.run(
        "const paint = performance.getEntriesByName('first-contentful-paint')[0];
         const files = performance.getEntriesByType('resource').map(file => file.responseEnd);
         return [paint.startTime, window.firstAnswer, Math.max(...files)]",
        json!([]),
    );
    [0, 1, 2].map(|i| number(&times[i]))
}

fn time(page: &Page, part: &str, values: &[String]) -> Vec<[f64; 3]> {
    page.session.post("timeouts", json!({ "script": 120_000 }));
    let rows = page.session.post(
        "execute/async",
        json!({ "script": TIME_INPUT, "args": [part, values] }),
    );
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| [0, 1, 2].map(|i| number(&row[i])))
        .collect()
}

/// Processor time that the page's thread has taken, in milliseconds: other work on the machine does not count.
fn cpu(page: &Page) -> f64 {
    page.session
        .devtools("Performance.enable", json!({ "timeDomain": "threadTicks" }));
    let metrics = page.session.devtools("Performance.getMetrics", json!({}));
    let metrics = metrics["metrics"].as_array().cloned().unwrap_or_default();
    let busy = metrics.iter().find(|metric| metric["name"] == "TaskDuration");
    busy.map_or(f64::NAN, |metric| number(&metric["value"]) * 1000.0)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn print_line(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).ceil() as usize];
    println!("{what:<44} {:>8.1} {:>8.1}", at(0.5), at(0.95));
}
