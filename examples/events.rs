//! Prints the events of a measured row's run, one a line: `+ bytes op module` or `- bytes number`, under phase headings.
//! `cargo run --example events -- rows.jsonl`

use plimsoll::plan::Plan;
use plimsoll::replay::{Event, segment};
use plimsoll::score;
use plimsoll::stack::{Detail, record};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("give a file of rows")?;
    let (rows, _) = score::read(&file, &std::fs::read(&file)?);
    for row in rows {
        let scenario = row.scenario.map_err(|refusal| refusal.0)?;
        let plan = Plan::new(&scenario)?;
        let recording = record(&plan, Detail::Full);
        println!("# {} peak {}", row.id, segment::peak(&recording));
        for event in &recording.events {
            match *event {
                Event::Alloc(i) => {
                    let a = &recording.allocs[i as usize];
                    let layer = a.place.layer.map_or(String::new(), |l| format!("L{l}."));
                    println!(
                        "+ {} {} {layer}{} {:?}",
                        a.bytes, a.op, a.place.module, a.category
                    );
                }
                Event::Free(i) => println!("- {} {i}", recording.allocs[i as usize].bytes),
                other => println!("= {other:?}"),
            }
        }
    }
    Ok(())
}
