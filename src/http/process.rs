//! What the operating system says of this process, under the names that every Prometheus client
//! uses. Read from /proc; where there is none, nothing is told.

use std::fs;

use super::exposition::Page;

/// Linux counts a process's time in hundredths of a second, whatever the machine's own clock tick.
const TICKS: f64 = 100.0;

/// Writes what is known.
pub(super) fn write(page: &mut Page) {
    if let Some(status) = read("/proc/self/status") {
        for (name, field, help) in [
            ("process_resident_memory_bytes", "VmRSS:", "Memory in use, in bytes"),
            ("process_virtual_memory_bytes", "VmSize:", "Memory asked for, in bytes"),
        ] {
            if let Some(kib) = field_of(&status, field) {
                page.gauge(name, help).put(&[], kib * 1024.0);
            }
        }
        if let Some(threads) = field_of(&status, "Threads:") {
            page.gauge("process_threads", "Threads of this process").put(&[], threads);
        }
    }
    if let Some((ticks, began)) = read("/proc/self/stat").as_deref().and_then(times) {
        page.counter("process_cpu_seconds_total", "Processor time spent, in seconds")
            .put(&[], ticks / TICKS);
        let boot = read("/proc/stat").as_deref().and_then(|stat| field_of(stat, "btime"));
        if let Some(boot) = boot {
            page.gauge("process_start_time_seconds", "When it began, in seconds since 1970")
                .put(&[], boot + began / TICKS);
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        let open = u32::try_from(open.count()).unwrap_or(u32::MAX);
        page.gauge("process_open_fds", "Open files and connections").put(&[], f64::from(open));
    }
    if let Some(limits) = read("/proc/self/limits")
        && let Some(most) = field_of(&limits, "Max open files")
    {
        page.gauge("process_max_fds", "The most files and connections").put(&[], most);
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The first number after `field` at the beginning of a line.
fn field_of(text: &str, field: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(field))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// From `/proc/self/stat`: the time spent, and when it began, both in ticks.
fn times(stat: &str) -> Option<(f64, f64)> {
    // The second field is the program's name, which may hold blanks and brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((number(11)? + number(12)?, number(19)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_behind_a_name_with_blanks() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 9000 1 1 18446";
        assert_eq!(times(stat), Some((300.0, 9000.0)));
        assert_eq!(times("7 (cut"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn everything_is_told_on_linux() {
        let mut page = Page::default();
        write(&mut page);
        let text = page.into_text();
        for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds"] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{name} in {text}");
        }
        assert!(text.contains("\nprocess_start_time_seconds 1"), "{text}");
    }
}
