//! The system calls of a process that only calculates. Everything else fails with "not permitted", which libraries that
//! merely try something survive; there is no socket, no other program, no file to write.
//!
//! Outside: files to read, which Landlock bounds.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule,
};

/// Calls that are allowed whatever their arguments.
const ALLOWED: &[i64] = &[
    // pipes and fonts
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_ppoll,
    // memory
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // threads
    libc::SYS_futex,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // signals to itself
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // clocks and chance
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];

/// Opening these ways writes, creates or empties.
const WRITES: i32 = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;

/// Installs the filter for every thread of this process.
pub(super) fn install() -> Result<(), Error> {
    let arch = std::env::consts::ARCH.try_into().map_err(Error::Backend)?;
    let rule = |index: u8, length: Len, operation: Op, value: u64| -> Result<Vec<Rule>, Error> {
        let condition = Condition::new(index, length, operation, value).map_err(Error::Backend)?;
        Ok(vec![Rule::new(vec![condition]).map_err(Error::Backend)?])
    };
    let bits = |flags: i32| u64::from(flags.cast_unsigned());
    let without = |index: u8, flags: i32| rule(index, Len::Dword, Op::MaskedEq(bits(flags)), 0);
    let mut allowed: BTreeMap<i64, Vec<Rule>> =
        ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    allowed.insert(libc::SYS_openat, without(2, WRITES)?);
    #[cfg(target_arch = "x86_64")]
    allowed.insert(libc::SYS_open, without(1, WRITES)?);
    // No memory that can be run as a program is made any more.
    allowed.insert(libc::SYS_mmap, without(2, libc::PROT_EXEC)?);
    allowed.insert(libc::SYS_mprotect, without(2, libc::PROT_EXEC)?);
    // A thread, never a process
    let thread = bits(libc::CLONE_THREAD);
    allowed.insert(
        libc::SYS_clone,
        rule(0, Len::Dword, Op::MaskedEq(thread), thread)?,
    );
    // Its own limits, its own threads' names, ending itself
    allowed.insert(libc::SYS_prlimit64, rule(0, Len::Dword, Op::Eq, 0)?);
    allowed.insert(
        libc::SYS_prctl,
        rule(0, Len::Dword, Op::Eq, bits(libc::PR_SET_NAME))?,
    );
    let own = u64::from(std::process::id());
    allowed.insert(libc::SYS_tgkill, rule(0, Len::Dword, Op::Eq, own)?);

    // What clone3 is to do lies in memory, where a filter cannot look; the C library takes clone when there is none.
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let errno = |error: i32| SeccompAction::Errno(error.cast_unsigned());
    let filters = [
        (absent, SeccompAction::Allow, errno(libc::ENOSYS)),
        (allowed, errno(libc::EPERM), SeccompAction::Allow),
    ];
    // The second one forbids installing any more. Of two answers the stricter one counts.
    for (rules, otherwise, matched) in filters {
        let filter = SeccompFilter::new(rules, otherwise, matched, arch).map_err(Error::Backend)?;
        let program: BpfProgram = filter.try_into().map_err(Error::Backend)?;
        seccompiler::apply_filter_all_threads(&program)?;
    }
    Ok(())
}
