//! How fast the page is: a report, not a test. `cargo xtask bench-page` prints it.

use crate::page::{Page, on_page};
use crate::webdriver::Session;
use serde_json::{Value, json};

/// Loads of the page; each with an empty cache.
const LOADS: usize = 7;

/// Notes when the answer has been painted, and when the program has drawn the form and so can be worked: a task begun in
/// the frame of a change runs after that frame. With a run in the address what stands in the document is no answer.
const WATCH_START: &str = "
    const painted = (name, is) => new MutationObserver((_, watch) => {
        if (!is()) return;
        watch.disconnect();
        requestAnimationFrame(() => setTimeout(() => window[name] = performance.now()));
    }).observe(document, { childList: true, subtree: true });
    painted('firstAnswer', () => {
        const part = document.querySelector('[data-testid=process]');
        return part && !(location.hash && part.closest('main').querySelector('.other'));
    });
    painted('atWork', () => document.querySelector('form.scenario'));";

/// Types each value into a field and times, from the input event on, the first painted change of the answer and the last
/// one: the quantities may follow one after the other. Between two values all panels come to rest.
///
/// A message sent in a frame comes after that frame is painted; and before anything that the page has put off until then,
/// because this frame was asked for before the page was told.
const TIME_INPUT: &str = "
    const [part, values, done] = arguments;
    const field = document.querySelector(`[data-testid=${part}]`);
    const seen = () => ['verdict', 'allocated', 'reserved', 'process', 'least']
        .map(part => document.querySelector(`[data-testid=${part}]`)?.textContent).join('|');
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    const times = [];
    const next = () => {
        const value = values.shift();
        if (value === undefined) return done(times);
        let before = seen(), first = null, last = null;
        const start = performance.now(), after = new MessageChannel();
        after.port1.onmessage = () => {
            last = performance.now() - start;
            first ??= last;
        };
        const frame = () => {
            if (performance.now() - start < 1000) requestAnimationFrame(frame);
            const now = seen();
            if (now === before) return;
            before = now;
            after.port2.postMessage(0);
        };
        requestAnimationFrame(frame);
        set.call(field, value);
        field.dispatchEvent(new InputEvent('input', { bubbles: true }));
        const handled = performance.now() - start;
        setTimeout(() => { after.port1.close(); times.push([handled, first, last]); next(); }, 1500);
    };
    next();";

#[test]
#[ignore = "a report: cargo xtask bench-page"]
fn report() {
    println!("{:<44} {:>8} {:>8}", "milliseconds", "median", "p95");
    for (name, fragment) in [("bare address", ""), ("address with a run", "#seq=3000")] {
        let loads: Vec<[f64; 4]> = (0..LOADS).map(|_| load(fragment)).collect();
        let column = |i: usize| loads.iter().map(|load| load[i]).collect();
        print_line(&format!("{name}: first paint"), column(0));
        print_line("  first answer painted", column(1));
        print_line("  form painted", column(2));
        print_line("  all files loaded", column(3));
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

/// First paint, first answer, form, and the last file of one load.
fn load(fragment: &str) -> [f64; 4] {
    let page = Page {
        session: Session::start(),
    };
    page.session.devtools(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": WATCH_START }),
    );
    page.open(fragment);
    page.until("all is painted", || {
        page.run("return window.firstAnswer > 0 && window.atWork > 0", json!([])) == true
    });
    let times = page.run(
        "const paint = performance.getEntriesByName('first-contentful-paint')[0];
         const files = performance.getEntriesByType('resource').map(file => file.responseEnd);
         return [paint.startTime, window.firstAnswer, window.atWork, Math.max(...files)]",
        json!([]),
    );
    [0, 1, 2, 3].map(|i| number(&times[i]))
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
