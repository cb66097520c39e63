//! What the system lets a decoder do: calculate, read fonts, and talk through three pipes.
//!
//! Linux: resource limits, Landlock for files, seccomp for everything else. Other Unix systems: resource limits.
//! Each is used as far as the system has it; what is in force is reported, so that it can be shown and tested.
//!
//! Outside: how long a job may take by the clock, which the window watches.

use serde::{Deserialize, Serialize};

/// What is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Confinement {
    /// Memory, processor time, open files, written bytes.
    pub resources: bool,
    /// No file but fonts can be opened, no port reached.
    pub files: bool,
    /// System calls that a decoder does not need fail.
    pub calls: bool,
}

/// Sets the bounds of single jobs.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// Addresses in use before the first job: the program, its libraries and threads.
    #[cfg(target_os = "linux")]
    base_bytes: u64,
}

/// Confines this process for good. Only the calling thread and those that it starts afterwards.
pub(crate) fn confine() -> (Confinement, Limiter) {
    let limiter = Limiter::new();
    let confinement = Confinement {
        resources: resources(),
        files: files(),
        calls: calls(),
    };
    (confinement, limiter)
}

#[cfg(unix)]
fn resources() -> bool {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let to = |bound| Rlimit {
        current: Some(bound),
        maximum: Some(bound),
    };
    // Pipes, a thread's wake-up and one or two fonts at a time.
    let bounds = [
        (Resource::Nofile, 64),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    let mut all = true;
    for (resource, bound) in bounds {
        all &= setrlimit(resource, to(bound)).is_ok();
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Nobody of the same user may look into its memory or attach a debugger.
        all &= set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    }
    all
}

#[cfg(not(unix))]
fn resources() -> bool {
    false
}

impl Limiter {
    #[cfg(target_os = "linux")]
    fn new() -> Self {
        // Without it a gigabyte is taken for what the program itself needs.
        let pages = std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
        Self {
            base_bytes: pages.unwrap_or(1 << 18) * rustix::param::page_size() as u64,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> Self {
        Self {}
    }

    /// Bounds the next job: addresses beyond what the process began with, and its processor time (a backstop for the
    /// window's clock, should the window be gone or stopped).
    #[cfg_attr(not(target_os = "linux"), allow(unused_variables))]
    pub fn job(&self, bytes: u64) {
        #[cfg(unix)]
        {
            use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
            use rustix::time::{ClockId, clock_gettime};
            // What the user was given at most stays; a decoder may be given less.
            let bound = |resource, bound: u64| {
                let maximum = getrlimit(resource).maximum;
                let current = Some(maximum.map_or(bound, |maximum| bound.min(maximum)));
                if setrlimit(resource, Rlimit { current, maximum }).is_err() {
                    eprintln!("a limit could not be set");
                }
            };
            #[cfg(target_os = "linux")]
            bound(Resource::As, self.base_bytes.saturating_add(bytes));
            let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
            bound(
                Resource::Cpu,
                u64::try_from(used).unwrap_or(0) + PROCESSOR_SECONDS,
            );
        }
    }
}

/// Processor time of one job on all cores together.
#[cfg(unix)]
pub(crate) const PROCESSOR_SECONDS: u64 = 60;

/// Ends this process when nobody holds the other end of its standard input any more, also in the middle of a job.
#[cfg(unix)]
pub(crate) fn end_with_parent() -> std::io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    std::thread::Builder::new()
        .name("parent".into())
        .spawn(|| {
            let input = std::io::stdin();
            loop {
                // A hang-up is always told; nothing else is asked for.
                let mut ends = [PollFd::new(&input, PollFlags::empty())];
                let told = poll(&mut ends, None);
                let gone = ends[0]
                    .revents()
                    .intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
                if told.is_ok() && gone {
                    std::process::exit(0);
                }
                if told.is_err_and(|error| error != rustix::io::Errno::INTR) {
                    return;
                }
            }
        })
        .map(drop)
}

#[cfg(not(unix))]
pub(crate) fn end_with_parent() -> std::io::Result<()> {
    Ok(())
}

/// Where fonts are, and what says which is taken for which.
#[cfg(target_os = "linux")]
const FONTS: [&str; 4] = [
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/etc/fonts",
    "/usr/share/fontconfig",
];
#[cfg(target_os = "linux")]
const FONTS_OF_USER: [&str; 3] = [".fonts", ".local/share/fonts", ".config/fontconfig"];

#[cfg(target_os = "linux")]
fn files() -> bool {
    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
        RulesetStatus, Scope, path_beneath_rules,
    };
    // What a kernel does not have of it is left out; from V6 on it knows ports, abstract sockets and signals.
    let abi = ABI::V6;
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let mut fonts: Vec<std::path::PathBuf> = FONTS.map(Into::into).to_vec();
    fonts.extend(
        home.into_iter()
            .flat_map(|home| FONTS_OF_USER.map(|folder| home.join(folder))),
    );
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let restricted = (|| {
        Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules(fonts, read))?
            .restrict_self()
    })();
    restricted.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(not(target_os = "linux"))]
fn files() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn calls() -> bool {
    match filter::install() {
        Ok(()) => true,
        Err(error) => {
            eprintln!("system calls are not filtered: {error}");
            false
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn calls() -> bool {
    false
}

#[cfg(target_os = "linux")]
mod filter;
