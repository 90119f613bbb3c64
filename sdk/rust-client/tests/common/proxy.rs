//! A way to the gateway that breaks when it is told to, with whatever is on it; or goes silent without breaking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub struct CuttingProxy {
    pub address: SocketAddr,
    cut: watch::Sender<usize>,
    silent: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl CuttingProxy {
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, cuts) = watch::channel(0);
        let silent = Arc::new(AtomicBool::new(false));
        let mute = Arc::clone(&silent);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (mut cuts, mute) = (cuts.clone(), Arc::clone(&mute));
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::select! {
                        () = pass(near_in, far_out, &mute) => {}
                        () = pass(far_in, near_out, &mute) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { address, cut, silent, accepting }
    }

    /// Breaks what is open; what is on its way is lost.
    pub fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// From now on nothing passes and nothing breaks; or everything passes again.
    pub fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, silent: &AtomicBool) {
    // Little at once, so that a cut finds something on its way.
    let mut buffer = [0; 512];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !silent.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
