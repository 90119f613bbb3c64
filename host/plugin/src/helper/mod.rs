//! Work on what strangers wrote, in a process of its own: reading and compiling files, checking configs against schemas.
//!
//! The process has limits of memory and processor time, no files, no core dump and a lower priority than the workers; it is killed when
//! its time is over, and when the gateway ends. What it reads comes on its standard input. What it answers are frames on its standard
//! output: a byte that says whether it is a result or a refusal, the length in eight bytes, little-endian, and as many bytes.

mod inside;

pub use inside::compile_process;

use crate::refusal::Refusal;
use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// The first byte of a frame.
const RESULT: u8 = 1;
const REFUSAL: u8 = 0;
/// The most bytes of a refusal, and of what a broken process wrote to its standard error.
const SAID: usize = 8 << 10;
/// The most bytes of the facts about a file: its imports' names are in them, and its cases, whose characters may take six bytes each.
pub(crate) const MAX_FACTS: usize = (256 << 10) + 6 * crate::cases::MAX_BYTES;
/// The exit code after a refusal.
const REFUSED: u8 = 3;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// A file: gives its facts, then the compiled code.
    Compile,
    /// A schema and a config as JSON: gives the config as the plugin gets it.
    Check,
}

impl Job {
    const fn word(self) -> &'static str {
        match self {
            Self::Compile => "module",
            Self::Check => "config",
        }
    }
}

/// What a process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Until it is killed, in time that passes.
    pub(crate) time: Duration,
    /// Of all its threads together.
    pub(crate) processor: Duration,
    /// Bytes of its address space, and of each of its answers.
    pub(crate) memory: usize,
    /// That compile.
    pub(crate) threads: usize,
}

/// A process at work; it is killed when this is dropped.
pub(crate) struct Helper {
    child: Child,
    frames: Receiver<Frame>,
    errors: Option<thread::JoinHandle<String>>,
    until: Instant,
    job: Job,
    bounds: Bounds,
}

enum Frame {
    Result(Vec<u8>),
    Refusal(Vec<u8>),
    /// It claims more than it may answer.
    TooLong,
}

impl Helper {
    /// Starts a process and hands it its input.
    pub(crate) fn start(
        program: &Path,
        arguments: &[OsString],
        job: Job,
        bounds: Bounds,
        input: Vec<u8>,
    ) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .arg(job.word())
            .args([bounds.memory, bounds.processor.as_secs() as usize, bounds.threads].map(|n| n.to_string()))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (Some(mut stdin), Some(mut stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three are piped")
        };
        // These threads end with the pipes, which end with the process.
        thread::Builder::new().name("compile-in".into()).spawn(move || {
            // A process that ended early says why elsewhere.
            let _ = stdin.write_all(&input);
        })?;
        let (sender, frames) = sync_channel(2);
        thread::Builder::new().name("compile-out".into()).spawn(move || {
            let mut most = if job == Job::Compile { MAX_FACTS } else { bounds.memory };
            while let Ok(frame) = read_frame(&mut stdout, most) {
                most = bounds.memory;
                if sender.send(frame).is_err() {
                    return;
                }
            }
        })?;
        let errors = thread::Builder::new().name("compile-err".into()).spawn(move || {
            let mut said = Vec::new();
            let mut stderr = stderr;
            let _ = stderr.by_ref().take(SAID as u64).read_to_end(&mut said);
            // What is more is read and forgotten, so that nobody waits.
            let _ = io::copy(&mut stderr, &mut io::sink());
            String::from_utf8_lossy(&said).into_owned()
        })?;
        let until = Instant::now() + bounds.time;
        Ok(Self { child, frames, errors: Some(errors), until, job, bounds })
    }

    /// Its next answer.
    pub(crate) fn answer(&mut self) -> Result<Vec<u8>, Refusal> {
        match self.frames.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
            Ok(Frame::Result(bytes)) => Ok(bytes),
            Ok(Frame::Refusal(text)) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                Err(if is_of_memory(&text) { self.too_large() } else { Refusal::Said(text) })
            }
            Ok(Frame::TooLong) => Err(self.too_large()),
            Err(RecvTimeoutError::Timeout) => Err(self.too_slow()),
            Err(RecvTimeoutError::Disconnected) => Err(self.autopsy()),
        }
    }

    /// Why it ended without an answer.
    fn autopsy(&mut self) -> Refusal {
        // Its output is closed: it has ended, or is about to.
        let _ = self.child.kill();
        let status = self.child.wait();
        let said = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        match status {
            Ok(status) if status.signal() == Some(used_up_its_time()) => self.too_slow(),
            Ok(_) if is_of_memory(&said) => self.too_large(),
            Ok(status) => Refusal::CompilerDied(cause_of_death(status, &said)),
            Err(error) => Refusal::CompilerDied(error.to_string()),
        }
    }

    fn too_large(&self) -> Refusal {
        Refusal::CompileMemory(self.bounds.memory)
    }

    fn too_slow(&self) -> Refusal {
        match self.job {
            Job::Compile => Refusal::CompileTimeout(self.bounds.time),
            Job::Check => Refusal::SchemaTimeout(self.bounds.processor),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // One that has ended is none the worse for it; either way it must not stay as a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_frame(from: &mut impl Read, most: usize) -> io::Result<Frame> {
    let mut head = [0; 9];
    from.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > if kind == RESULT { most } else { SAID } {
        return Ok(Frame::TooLong);
    }
    let mut bytes = Vec::new();
    if from.take(length as u64).read_to_end(&mut bytes)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(if kind == RESULT { Frame::Result(bytes) } else { Frame::Refusal(bytes) })
}

/// The signal of a process that used up its processor time: the same number on every Linux that this runs on.
const fn used_up_its_time() -> i32 {
    rustix::process::Signal::XCPU.as_raw()
}

/// How the allocator, the kernel and the compiler say that there is no memory.
fn is_of_memory(said: &str) -> bool {
    ["memory allocation of", "Cannot allocate memory", "os error 12", "out of memory"]
        .iter()
        .any(|words| said.contains(words))
}

fn cause_of_death(status: ExitStatus, said: &str) -> String {
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let line = &line[..line.floor_char_boundary(200)];
    if line.is_empty() { status.to_string() } else { format!("{status}: {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_bounded_before_anything_is_allocated() {
        let frame = |kind: u8, length: u64, body: &[u8]| [&[kind], &length.to_le_bytes()[..], body].concat();
        assert!(
            matches!(read_frame(&mut &frame(RESULT, 3, b"abc")[..], 3), Ok(Frame::Result(bytes)) if bytes == b"abc")
        );
        assert!(matches!(read_frame(&mut &frame(REFUSAL, 3, b"abc")[..], 0), Ok(Frame::Refusal(_))));
        assert!(matches!(read_frame(&mut &frame(RESULT, u64::MAX, b"")[..], 1 << 20), Ok(Frame::TooLong)));
        assert!(matches!(read_frame(&mut &frame(REFUSAL, 1 << 20, b"")[..], 1 << 20), Ok(Frame::TooLong)));
        assert!(read_frame(&mut &frame(RESULT, 3, b"ab")[..], 3).is_err());
        assert!(read_frame(&mut &b""[..], 3).is_err());
    }

    #[test]
    fn the_ways_to_run_out_of_memory_are_known() {
        assert!(is_of_memory("memory allocation of 1234 bytes failed"));
        assert!(is_of_memory("failed to map: Cannot allocate memory (os error 12)"));
        assert!(!is_of_memory("thread has overflowed its stack"));
    }
}
