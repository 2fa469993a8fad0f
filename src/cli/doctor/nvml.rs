//! The cards of this machine through NVML, the driver's own library.

use nvml_wrapper::Nvml;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;

use super::{Local, Machine, Process};

/// The longest name of a process that is asked for.
const NAME: usize = 64;

/// Asks the driver.
///
/// # Errors
/// Why there is none to ask, in a sentence.
pub(super) fn machine() -> Result<Machine, String> {
    let nvml = Nvml::init().map_err(|error| why(&error))?;
    let count = nvml.device_count().map_err(|error| why(&error))?;
    let cuda = nvml
        .sys_cuda_driver_version()
        .ok()
        .and_then(|version| u32::try_from(version).ok());
    Ok(Machine {
        driver: nvml.sys_driver_version().ok(),
        // 12040 is 12.4.
        cuda: cuda.map(|version| (version / 1000, version % 1000 / 10)),
        // A card that does not answer is left out.
        cards: (0..count).filter_map(|index| card(&nvml, index).ok()).collect(),
    })
}

fn card(nvml: &Nvml, index: u32) -> Result<Local, NvmlError> {
    let device = nvml.device_by_index(index)?;
    let memory = device.memory_info()?;
    let capability = device.cuda_compute_capability()?;
    let part = |number: i32| u32::try_from(number).unwrap_or_default();
    let running = device.running_compute_processes().unwrap_or_default();
    let drawing = device.running_graphics_processes().unwrap_or_default();
    let mut processes: Vec<Process> = Vec::new();
    for process in running.into_iter().chain(drawing) {
        // A process that computes and draws is listed twice.
        if processes.iter().all(|known| known.pid != process.pid) {
            processes.push(Process {
                pid: process.pid,
                name: nvml.sys_process_name(process.pid, NAME).ok(),
                used_bytes: match process.used_gpu_memory {
                    UsedGpuMemory::Used(bytes) => Some(bytes),
                    UsedGpuMemory::Unavailable => None,
                },
            });
        }
    }
    Ok(Local {
        name: device.name()?,
        capability: (part(capability.major), part(capability.minor)),
        total_bytes: memory.total,
        free_bytes: memory.free,
        processes,
    })
}

fn why(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound | NvmlError::DriverNotLoaded => {
            "no NVIDIA driver is found on this machine".into()
        }
        other => format!("the NVIDIA driver does not answer: {other}"),
    }
}
