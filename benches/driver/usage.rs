//! What a process has used, as /proc says.

use std::{fs, time::Duration};

use crate::Failure;

/// Memory of a process, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// What it holds now.
    pub(crate) resident: u64,
    /// What of that are pages of files: its own code, above all. The kernel maps what
    /// it has in its cache around a page that is touched, and takes it back at will.
    pub(crate) file: u64,
    /// The most that it has held.
    pub(crate) peak: u64,
}

/// CPU that all threads have used: nanoseconds where the kernel counts them,
/// else the hundredths of a second in /proc/PID/stat.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Failure> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { return ticks(pid) };
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn ticks(pid: u32) -> Result<Duration, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name may hold anything; utime and stime are 12 and 13 after it.
    let (_, after) = stat.rsplit_once(") ").ok_or("no stat")?;
    let ticks: u64 = after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// What a process holds and has held.
pub(crate) fn memory(pid: u32) -> Result<Memory, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
        kilobytes.map_or(0, |kilobytes| kilobytes * 1024)
    };
    Ok(Memory { resident: field("VmRSS:"), file: field("RssFile:"), peak: field("VmHWM:") })
}

/// Lets the peak begin anew at what is held now.
pub(crate) fn forget_peak(pid: u32) {
    // Where it may not be written the peak is that of the whole life.
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}
