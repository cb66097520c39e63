//! One small pool of threads for every kernel. A region is a number of units of work; whoever is free takes the next,
//! the caller too. Workers spin for some tens of microseconds after a region, then park. A worker that wakes too late
//! finds the region closed and touches nothing of it, so nobody waits for a sleeper.
//!
//! Deliberately outside: pinning, priorities, nested regions (they run on the thread that asks).

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::Thread;

/// Spins before a worker parks: about 50 us of `pause`.
const SPINS: u32 = 1500;

type Work<'a> = dyn Fn(usize) + Sync + 'a;

struct Pool {
    /// generation << 32 | closed << 31 | workers inside. A worker enters by adding one while the region is open.
    state: AtomicU64,
    /// The unit to take next.
    cursor: AtomicUsize,
    /// Written only while the region is closed and nobody is inside; read only by those inside.
    job: UnsafeCell<Option<(*const Work<'static>, usize)>>,
    /// Workers with an index below this may enter.
    helpers: AtomicUsize,
    /// A worker's unit panicked; the caller passes it on.
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
    sleepers: Mutex<Vec<Worker>>,
    /// Held by the one region that runs.
    region: Mutex<()>,
    count: Counters,
}

struct Worker {
    thread: Thread,
    parked: &'static AtomicBool,
}

#[derive(Default)]
struct Counters {
    regions: AtomicU64,
    inline: AtomicU64,
    units: AtomicU64,
    helped: AtomicU64,
    waits: AtomicU64,
    wakes: AtomicU64,
}

/// What the pool has done since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Regions that were offered to workers.
    pub regions: u64,
    /// Regions that ran on the caller alone: one thread, one unit, or within another region.
    pub inline: u64,
    /// Units of work in all regions.
    pub units: u64,
    /// Units that a worker, not the caller, did.
    pub helped: u64,
    /// Times the caller had to wait for a worker that was still busy.
    pub waits: u64,
    /// Times a parked worker had to be woken.
    pub wakes: u64,
}

// SAFETY: `job` is guarded by the protocol of `state`; the pointer in it is to a `Sync` closure.
unsafe impl Sync for Pool {}

const CLOSED: u64 = 1 << 31;

static POOL: Pool = Pool {
    state: AtomicU64::new(CLOSED),
    cursor: AtomicUsize::new(0),
    job: UnsafeCell::new(None),
    helpers: AtomicUsize::new(usize::MAX),
    panic: Mutex::new(None),
    sleepers: Mutex::new(Vec::new()),
    region: Mutex::new(()),
    count: Counters {
        regions: AtomicU64::new(0),
        inline: AtomicU64::new(0),
        units: AtomicU64::new(0),
        helped: AtomicU64::new(0),
        waits: AtomicU64::new(0),
        wakes: AtomicU64::new(0),
    },
};

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Physical cores this process may use: logical ones, halved where the kernel says two share a core.
pub fn physical_cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| {
        let logical = std::thread::available_parallelism().map_or(1, usize::from);
        let siblings =
            std::fs::read_to_string("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
                .unwrap_or_default();
        let shared = siblings.trim().split([',', '-']).count().max(1);
        (logical / shared).max(1)
    })
}

/// Threads that work on a region, the caller among them: at least 1. Takes effect with the next region.
pub fn set_threads(threads: usize) {
    POOL.helpers.store(threads.max(1) - 1, Ordering::Relaxed);
}

/// Threads that work on a region, the caller among them.
pub fn threads() -> usize {
    match POOL.helpers.load(Ordering::Relaxed) {
        usize::MAX => physical_cores(),
        helpers => helpers + 1,
    }
}

pub fn stats() -> Stats {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Stats {
        regions: read(&POOL.count.regions),
        inline: read(&POOL.count.inline),
        units: read(&POOL.count.units),
        helped: read(&POOL.count.helped),
        waits: read(&POOL.count.waits),
        wakes: read(&POOL.count.wakes),
    }
}

/// Does `work(0)` to `work(units - 1)`, each once, on as many threads as are set. Returns when all are done.
/// A panic of any unit is passed on to the caller once the others have stopped.
pub fn parallel(units: usize, work: &Work<'_>) {
    POOL.count.units.fetch_add(units as u64, Ordering::Relaxed);
    let helpers = (threads() - 1).min(units.saturating_sub(1));
    // One region at a time: who finds it taken (a nested call, or another engine thread) does its own work.
    let guard = if helpers == 0 {
        None
    } else {
        POOL.region.try_lock().ok()
    };
    let Some(guard) = guard else {
        POOL.count.inline.fetch_add(1, Ordering::Relaxed);
        (0..units).for_each(work);
        return;
    };
    POOL.count.regions.fetch_add(1, Ordering::Relaxed);
    wake_or_start(helpers, units, work);
    let own = catch_unwind(AssertUnwindSafe(|| take_units(units, work)));
    if own.is_err() {
        POOL.cursor.store(units, Ordering::Relaxed);
    }
    POOL.state.fetch_or(CLOSED, Ordering::AcqRel);
    let mut spins = 0;
    while POOL.state.load(Ordering::Acquire) & (CLOSED - 1) != 0 {
        if spins == 0 {
            POOL.count.waits.fetch_add(1, Ordering::Relaxed);
        }
        spins += 1;
        // A worker without a core would never finish if we kept ours.
        if spins > SPINS {
            std::thread::yield_now()
        } else {
            std::hint::spin_loop()
        }
    }
    let theirs = lock(&POOL.panic).take();
    drop(guard);
    if let Err(panic) = own {
        resume_unwind(panic);
    }
    if let Some(panic) = theirs {
        resume_unwind(panic);
    }
}

fn take_units(units: usize, work: &Work<'_>) -> u64 {
    let mut done = 0;
    loop {
        let unit = POOL.cursor.fetch_add(1, Ordering::Relaxed);
        if unit >= units {
            return done;
        }
        work(unit);
        done += 1;
    }
}

/// Opens the region and sees to it that `helpers` workers exist and are awake.
fn wake_or_start(helpers: usize, units: usize, work: &Work<'_>) {
    // SAFETY: the lifetime is erased; `parallel` does not return before the region is closed and empty.
    let work: *const Work<'static> =
        unsafe { std::mem::transmute::<&Work<'_>, &'static Work<'static>>(work) };
    // SAFETY: we hold `region`, the region is closed and nobody is inside.
    unsafe { *POOL.job.get() = Some((work, units)) };
    POOL.cursor.store(0, Ordering::Relaxed);
    let generation = (POOL.state.load(Ordering::Relaxed) >> 32).wrapping_add(1) & 0xffff_ffff;
    POOL.state.store(generation << 32, Ordering::SeqCst);
    let mut workers = lock(&POOL.sleepers);
    while workers.len() < helpers {
        let index = workers.len();
        let parked: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let spawned = std::thread::Builder::new()
            .name(format!("kernels-{}", index + 1))
            .spawn(move || worker(index, parked));
        match spawned {
            Ok(handle) => workers.push(Worker {
                thread: handle.thread().clone(),
                parked,
            }),
            // Fewer threads is slower, not wrong: the caller does what is left.
            Err(_) => return,
        }
    }
    for worker in &workers[..helpers] {
        if worker.parked.swap(false, Ordering::SeqCst) {
            POOL.count.wakes.fetch_add(1, Ordering::Relaxed);
            worker.thread.unpark();
        }
    }
}

fn worker(index: usize, parked: &'static AtomicBool) {
    let mut seen = u64::MAX;
    let mut spins = 0;
    loop {
        let state = POOL.state.load(Ordering::Acquire);
        let open = state & CLOSED == 0 && state >> 32 != seen;
        if open && index < threads() - 1 {
            if POOL
                .state
                .compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                seen = state >> 32;
                spins = 0;
                // SAFETY: we are inside an open region, so `job` is set and its closure lives until we leave.
                let result = catch_unwind(AssertUnwindSafe(|| unsafe {
                    let (work, units) = (*POOL.job.get()).unwrap_unchecked();
                    take_units(units, &*work)
                }));
                match result {
                    Ok(done) => {
                        POOL.count.helped.fetch_add(done, Ordering::Relaxed);
                    }
                    Err(panic) => {
                        POOL.cursor.store(usize::MAX / 2, Ordering::Relaxed);
                        *lock(&POOL.panic) = Some(panic);
                    }
                }
                POOL.state.fetch_sub(1, Ordering::Release);
            }
            continue;
        }
        spins += 1;
        if spins < SPINS {
            std::hint::spin_loop();
            continue;
        }
        parked.store(true, Ordering::SeqCst);
        let state = POOL.state.load(Ordering::SeqCst);
        if state & CLOSED == 0 && state >> 32 != seen && index < threads() - 1 {
            parked.store(false, Ordering::SeqCst);
            continue;
        }
        while parked.load(Ordering::SeqCst) {
            std::thread::park();
        }
        spins = 0;
    }
}
