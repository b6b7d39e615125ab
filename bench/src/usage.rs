//! What processes have used so far, from `/proc`: look here for where the CPU figures come from.

use std::fs;
use std::ops::Sub;

/// Use of some processes, all their threads together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time, user and system, in nanoseconds.
    pub cpu: u64,
    /// Context switches, voluntary or not.
    pub switches: u64,
    /// Resident memory in KiB.
    pub resident: u64,
}

impl Sub for Usage {
    type Output = Self;

    /// What was added since; memory is a level, not a sum, and stays.
    fn sub(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            switches: self.switches.saturating_sub(before.switches),
            resident: self.resident,
        }
    }
}

/// The use of these processes; one that has ended counts nothing.
#[must_use]
pub fn of(pids: &[u32]) -> Usage {
    let mut all = Usage::default();
    for pid in pids {
        all.resident += field(&read(&format!("/proc/{pid}/status")), "VmRSS:");
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let task = task.path();
            // The first number of schedstat is time on a CPU in nanoseconds; `stat` has only ticks of 10 ms.
            let schedstat = read(&task.join("schedstat").to_string_lossy());
            all.cpu += schedstat.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
            let status = read(&task.join("status").to_string_lossy());
            all.switches +=
                field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:");
        }
    }
    all
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
