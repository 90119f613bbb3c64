//! A task for each connection, on one thread, on a thread for each core, or on threads that take each other's tasks.

use super::{Memory, Options, READ, announce, anywhere, listen};
use crate::frames::{Deframer, work};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use weir_capacity::measure::pin_here;

/// Of a pooled, a fresh and an own buffer.
const BUFFER: usize = 16 * 1024;
/// Buffers that a pool keeps at most.
const KEPT: usize = 64;

thread_local! {
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let first = listen(anywhere())?;
    let address = first.local_addr()?;
    if options.steal {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads)
            .enable_io()
            .build()?;
        announce(&first)?;
        let options = options.clone();
        return runtime.block_on(async move { tokio::spawn(accept(first, options)).await? });
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut others = Vec::new();
    for core in 1..options.threads {
        // Where the load is to be uneven nobody is let in by the others.
        let listener = if options.uneven { listen(anywhere())? } else { listen(address)? };
        let options = options.clone();
        others.push(std::thread::spawn(move || on_core(core % cores, listener, &options)));
    }
    announce(&first)?;
    if options.threads > 1 {
        return on_core(0, first, options);
    }
    local(first, options)
}

fn on_core(core: usize, listener: TcpListener, options: &Options) -> anyhow::Result<()> {
    pin_here(&[core])?;
    local(listener, options)
}

/// All of it on this thread.
fn local(listener: TcpListener, options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let tasks = tokio::task::LocalSet::new();
    let options = options.clone();
    runtime.block_on(tasks.run_until(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(options.nodelay)?;
            tokio::task::spawn_local(connection(stream, options.clone()));
        }
    }))
}

/// The same where tasks may move.
async fn accept(listener: TcpListener, options: Options) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(options.nodelay)?;
        tokio::spawn(connection(stream, options.clone()));
    }
}

async fn connection(mut stream: TcpStream, options: Options) {
    let mut deframer = Deframer::default();
    let mut own = if options.memory == Memory::Own { vec![0; BUFFER] } else { Vec::new() };
    loop {
        let mut out = Vec::new();
        let read = poll_fn(|context| {
            read(&mut stream, context, options.memory, &mut own, |bytes| {
                deframer.take(bytes, |message| {
                    work(options.work);
                    out.extend_from_slice(message);
                })
            })
        });
        if !matches!(read.await, Ok(true)) || stream.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// One read. False: the other side has ended, or said something that cannot be.
fn read(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
    memory: Memory,
    own: &mut [u8],
    take: impl FnOnce(&[u8]) -> Option<usize>,
) -> Poll<io::Result<bool>> {
    // A turn in which there is nothing to read takes no memory.
    ready!(stream.poll_read_ready(context))?;
    let into = |space: &mut ReadBuf<'_>,
                context: &mut Context<'_>,
                stream: &mut TcpStream|
     -> Poll<io::Result<bool>> {
        ready!(Pin::new(stream).poll_read(context, space))?;
        Poll::Ready(Ok(!space.filled().is_empty() && take(space.filled()).is_some()))
    };
    match memory {
        Memory::Shared => SHARED.with_borrow_mut(|buffer| into(&mut ReadBuf::new(buffer), context, stream)),
        Memory::Own => into(&mut ReadBuf::new(own), context, stream),
        Memory::Pool => {
            let mut buffer = POOL.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; BUFFER]);
            let done = into(&mut ReadBuf::new(&mut buffer), context, stream);
            POOL.with_borrow_mut(|pool| {
                if pool.len() < KEPT {
                    pool.push(buffer);
                }
            });
            done
        }
        Memory::Fresh => {
            let mut buffer = Vec::with_capacity(BUFFER);
            into(&mut ReadBuf::uninit(buffer.spare_capacity_mut()), context, stream)
        }
    }
}
