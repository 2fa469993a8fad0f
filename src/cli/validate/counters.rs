//! The card's own counters, through NVIDIA's management library. Where there is none (no driver, another vendor, WSL
//! without it), everything here says so by saying nothing.

use nvml_wrapper::Nvml;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;

use crate::validate::Watched;

/// The library, opened.
pub(super) struct Cards {
    nvml: Nvml,
}

/// Cards as they are before a run, and what is seen on one of them while it lasts.
pub(super) struct Watch<'c> {
    cards: &'c Cards,
    before: Vec<Before>,
    /// Which card the run is on, once its identifier is known.
    card: Option<usize>,
    /// What was seen so far.
    pub seen: Watched,
}

struct Before {
    uuid: String,
    used: u64,
    processes: Vec<u32>,
}

impl Cards {
    /// Opens the library; nothing where it is not there or sees no card.
    pub fn open() -> Option<Self> {
        let nvml = Nvml::init().ok()?;
        (nvml.device_count().ok()? > 0).then_some(Cards { nvml })
    }

    /// The first card's name, as `nvidia-smi` shows it.
    pub fn name(&self) -> Option<String> {
        self.nvml.device_by_index(0).ok()?.name().ok()
    }

    /// Begins to watch: what is in use now is not the run's.
    pub fn watch(&self) -> Watch<'_> {
        let count = self.nvml.device_count().unwrap_or(0);
        let before = (0..count).filter_map(|index| self.before(index).ok()).collect();
        Watch {
            cards: self,
            before,
            card: None,
            seen: Watched {
                driver: self.nvml.sys_driver_version().ok(),
                ..Watched::default()
            },
        }
    }

    fn before(&self, index: u32) -> Result<Before, NvmlError> {
        let device = self.nvml.device_by_index(index)?;
        Ok(Before {
            uuid: device.uuid()?,
            used: device.memory_info()?.used,
            // Not told everywhere, as in WSL: then the card's own figure remains.
            processes: device
                .running_compute_processes()
                .unwrap_or_default()
                .iter()
                .map(|process| process.pid)
                .collect(),
        })
    }
}

impl Watch<'_> {
    /// Reads the counters once. `uuid` is the card's identifier as the run tells it, `pid` the run's process.
    pub fn sample(&mut self, uuid: Option<&str>, pid: u32) {
        if self.card.is_none() {
            self.card = match (uuid, self.before.len()) {
                (_, 1) => Some(0),
                (Some(uuid), _) => self.before.iter().position(|card| card.uuid.ends_with(uuid)),
                (None, _) => None,
            };
        }
        let Some((index, before)) = self.card.and_then(|card| Some((card, self.before.get(card)?))) else {
            return;
        };
        let (used, before_used) = match self.read(index, before, pid) {
            Ok(read) => (read, before.used),
            Err(NvmlError::GpuLost) => {
                self.seen.lost = Some("NVML: the card has fallen off the bus or cannot be reached".into());
                return;
            }
            // One reading that fails is made up for by the next.
            Err(_) => return,
        };
        let seen = &mut self.seen;
        seen.before = Some(before_used);
        seen.device = seen.device.max(Some(used.device));
        seen.process = seen.process.max(used.process);
        seen.others = seen.others.max(used.others);
        seen.samples += 1;
    }

    fn read(&self, index: usize, before: &Before, pid: u32) -> Result<Reading, NvmlError> {
        let device = self.cards.nvml.device_by_index(index as u32)?;
        let memory = device.memory_info()?.used;
        let processes = device.running_compute_processes().unwrap_or_default();
        // In a container the driver knows the process by another number: then it is whoever came since.
        let known = processes.iter().any(|process| process.pid == pid);
        let own = |number: u32| match known {
            true => number == pid,
            false => !before.processes.contains(&number),
        };
        let mut reading = Reading {
            device: memory,
            ..Reading::default()
        };
        for process in processes {
            match (own(process.pid), process.used_gpu_memory) {
                (true, UsedGpuMemory::Used(bytes)) => {
                    reading.process = Some(reading.process.unwrap_or(0).saturating_add(bytes));
                }
                (true, UsedGpuMemory::Unavailable) => {}
                (false, _) => reading.others += 1,
            }
        }
        Ok(reading)
    }
}

#[derive(Default)]
struct Reading {
    device: u64,
    process: Option<u64>,
    others: u32,
}
