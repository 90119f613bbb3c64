//! The other side: what the process does.

use super::{Job, REFUSAL, REFUSED, RESULT, SAID};
use crate::artifact::Artifact;
use crate::compile::pooled;
use crate::engines::config;
use crate::limits::PluginLimits;
use crate::schema;
use rustix::process::{
    Resource, Rlimit, Signal, set_parent_process_death_signal, setpriority_process, setrlimit,
};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::process::ExitCode;
use wasmtime::Engine;

/// Lower than the workers: compiling takes what they leave.
const NICENESS: i32 = 10;
/// Files that it may open: it reads its own map of memory at most.
const FILES: u64 = 16;

/// Does what a [`Runtime`](crate::Runtime) with [`CompileIn::Process`](crate::CompileIn::Process) started this process for: gives up
/// all that it does not need, reads what strangers wrote from standard input, and answers on standard output. `arguments` are those
/// that come after the ones of the option.
///
/// To be called first thing in the process: it closes every file but the standard ones.
pub fn compile_process(arguments: &[String]) -> ExitCode {
    let Some((job, bounds)) = parse(arguments) else {
        eprintln!("this is started by the gateway, not by hand");
        return ExitCode::from(2);
    };
    let done = confine(bounds).and_then(|()| {
        let mut input = Vec::new();
        io::stdin().lock().read_to_end(&mut input)?;
        match job {
            Job::Compile => compile(&input, bounds.threads),
            Job::Check => check(&input),
        }
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy)]
struct Confines {
    memory: u64,
    seconds: u64,
    threads: usize,
}

fn parse(arguments: &[String]) -> Option<(Job, Confines)> {
    let [job, memory, seconds, threads] = arguments else { return None };
    let job = [Job::Compile, Job::Check].into_iter().find(|known| known.word() == job)?;
    let confines = Confines {
        memory: memory.parse().ok()?,
        seconds: seconds.parse().ok()?,
        threads: threads.parse().ok()?,
    };
    Some((job, confines))
}

/// Gives up what it does not need, before it reads a byte.
fn confine(Confines { memory, seconds, .. }: Confines) -> io::Result<()> {
    // Whoever waits for the answer is gone then.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    close_files()?;
    let limit = |resource, most| {
        let most = Some(most);
        setrlimit(resource, Rlimit { current: most, maximum: most })
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, FILES)?;
    limit(Resource::As, memory)?;
    // The first says why, the second ends what would not listen.
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds + 1) })?;
    setpriority_process(None, NICENESS)?;
    Ok(())
}

/// Everything that was open when the process was started, but for the standard ones. The gateway's own are closed by the kernel; what
/// it inherited itself may not be.
fn close_files() -> io::Result<()> {
    let mut open: Vec<RawFd> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        close(descriptor);
    }
    Ok(())
}

#[expect(
    unsafe_code,
    reason = "descriptors that nobody in this process opened have no owner; see the safety comment"
)]
fn close(descriptor: RawFd) {
    if rustix::io::fcntl_getfd(
        // SAFETY: it is only asked whether it is open, for as long as this call takes.
        unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) },
    )
    .is_ok()
    {
        // SAFETY: nothing of this process owns it. `compile_process` is called before anything else is done, so what is open was open
        // when the process was started; the listing itself, which was open, has been closed, which has just been checked.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }
}

fn compile(file: &[u8], threads: usize) -> io::Result<ExitCode> {
    let Artifact { facts, component } = match Artifact::read(file, usize::MAX) {
        Ok(artifact) => artifact,
        Err(refusal) => return refuse(&refusal.to_string()),
    };
    write(RESULT, &serde_json::to_vec(&facts).map_err(io::Error::other)?)?;
    let stack = PluginLimits::default().stack_size();
    let engine = Engine::new(&config(stack, threads > 1, false))
        .map_err(|error| io::Error::other(format!("{error:#}")))?;
    match pooled(threads, || engine.precompile_component(&component)) {
        Ok(Ok(code)) => {
            write(RESULT, &code)?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Err(error)) => refuse(&crate::refusal::Refusal::Compile(format!("{error:#}")).to_string()),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn check(input: &[u8]) -> io::Result<ExitCode> {
    let (schema, config): (String, serde_json::Value) = serde_json::from_slice(input)?;
    match schema::check(&schema, &config) {
        Ok(config) => {
            write(RESULT, config.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => refuse(&refusal.to_string()),
    }
}

fn refuse(text: &str) -> io::Result<ExitCode> {
    write(REFUSAL, &text.as_bytes()[..text.floor_char_boundary(SAID)])?;
    Ok(ExitCode::from(REFUSED))
}

fn write(kind: u8, bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(&[kind])?;
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)?;
    out.flush()
}
